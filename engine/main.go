// Command malote-engine runs one WhatsApp device for an actor that talks to it over stdin and stdout.
//
// The protocol is in protocol/engine.proto.
package main

import (
	"bufio"
	"errors"
	"io"
	"os"
	"time"

	"malote.dev/engine/frames"
	"malote.dev/engine/logs"
	pb "malote.dev/engine/protocol"
)

const (
	exitProtocol  = 2 // what came over stdin was no frame
	exitStoreLost = 3 // the device's lock is gone
	outgoing      = 256
)

func main() {
	stdout := os.Stdout
	// libsignal, for one, prints its errors: between frames they would be the end of this process.
	os.Stdout = os.Stderr
	log := logs.NewSink(logs.ParseLevel(os.Getenv("MALOTE_ENGINE_LOG"))).Logger("engine")
	out := make(chan *pb.FromEngine, outgoing)
	go write(stdout, out, log)
	post := func(frame *pb.FromEngine, until <-chan time.Time) bool {
		select {
		case out <- frame:
			return true
		case <-until:
			return false
		}
	}
	post(&pb.FromEngine{Frame: &pb.FromEngine_Hello{Hello: hello()}}, nil)
	h := &host{post: post, log: log}
	in := bufio.NewReaderSize(os.Stdin, 1<<16)
	for {
		command := &pb.ToEngine{}
		if err := frames.Read(in, command); err != nil {
			leave(err, log)
		}
		h.handle(command)
	}
}

// write is the only writer of frames. When the actor no longer reads, there is nobody to work for.
func write(to io.Writer, out <-chan *pb.FromEngine, log logs.Logger) {
	for frame := range out {
		err := frames.Write(to, frame)
		var unencodable *frames.EncodeError
		if errors.As(err, &unencodable) {
			// An event that never arrives is never answered: it parks, and nothing is acknowledged.
			log.Errorf("%v", err)
		} else if err != nil {
			log.Errorf("cannot write to the actor: %v", err)
			os.Exit(0)
		}
	}
}
