package main

import (
	"testing"
	"time"

	"malote.dev/engine/logs"
	pb "malote.dev/engine/protocol"
	"malote.dev/engine/session"
)

func TestACommandThatPanicsIsAnsweredAndDoesNotEndTheProcess(t *testing.T) {
	replies := make(chan *pb.Reply, 1)
	h := &host{log: logs.NewSink(logs.Error).Logger("test"), post: func(frame *pb.FromEngine, _ <-chan time.Time) bool {
		replies <- frame.GetReply()
		return true
	}}
	h.session.Store(&session.Session{}) // with nothing in it
	h.handle(&pb.ToEngine{Id: 7, Command: &pb.ToEngine_Disconnect{Disconnect: &pb.Disconnect{}}})
	if reply := <-replies; reply.Id != 7 || reply.Error.GetCode() != "internal" {
		t.Errorf("%v", reply)
	}
}
