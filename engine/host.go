package main

import (
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"malote.dev/engine/delivery"
	"malote.dev/engine/logs"
	"malote.dev/engine/network"
	pb "malote.dev/engine/protocol"
	"malote.dev/engine/session"
)

const (
	protocolVersion = 1
	queryTimeout    = 30 * time.Second
	fetchTimeout    = 5 * time.Minute
	mediaTimeout    = 10 * time.Minute
)

// host executes the actor's commands.
type host struct {
	post    delivery.Post
	log     logs.Logger
	opening atomic.Bool
	session atomic.Pointer[session.Session]
}

// leave ends the process. At the end of stdin the actor is gone: whatever it did not store must not be acknowledged.
func leave(err error, log logs.Logger) {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		os.Exit(0)
	}
	log.Errorf("cannot read from the actor: %v", err)
	os.Exit(exitProtocol)
}

func hello() *pb.Hello {
	greeting := &pb.Hello{Protocol: protocolVersion, Lab: network.Lab, Pid: uint32(os.Getpid()), EngineVersion: version}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range info.Deps {
			if module.Path == "go.mau.fi/whatsmeow" {
				greeting.WhatsmeowVersion = module.Version
			}
		}
	}
	return greeting
}

// version is set by the linker.
var version = "unknown"

// handle starts a command. Answers are taken and sends are queued in the order they came; the rest runs in parallel.
func (h *host) handle(command *pb.ToEngine) {
	current := h.session.Load()
	switch c := command.Command.(type) {
	case *pb.ToEngine_Answer:
		if current != nil {
			current.Answer(c.Answer)
		}
	case *pb.ToEngine_Send:
		if current == nil {
			h.reply(command.Id, nil, errNotOpen)
			return
		}
		current.Send(c.Send, func(result *pb.SendResult, err error) {
			h.reply(command.Id, &pb.Reply{Result: &pb.Reply_Send{Send: result}}, err)
		})
	case *pb.ToEngine_Vote:
		if current == nil {
			h.reply(command.Id, nil, errNotOpen)
			return
		}
		current.Vote(c.Vote, func(result *pb.SendResult, err error) {
			h.reply(command.Id, &pb.Reply{Result: &pb.Reply_Send{Send: result}}, err)
		})
	default:
		go func() {
			result, err := h.survive(command)
			h.reply(command.Id, result, err)
		}()
	}
}

var errNotOpen = &session.Failure{Code: "not_open", Message: "no store is open"}

func (h *host) reply(id uint64, reply *pb.Reply, err error) {
	if reply == nil || err != nil {
		reply = &pb.Reply{}
	}
	reply.Id = id
	if err != nil {
		reply.Error = session.Describe(err)
	}
	h.post(&pb.FromEngine{Frame: &pb.FromEngine_Reply{Reply: reply}}, nil)
}

func (h *host) survive(command *pb.ToEngine) (reply *pb.Reply, err error) {
	defer func() {
		if panicked := session.Survived(h.log, recover()); panicked != nil {
			reply, err = nil, panicked
		}
	}()
	return h.run(command)
}

func (h *host) run(command *pb.ToEngine) (*pb.Reply, error) {
	if open, ok := command.Command.(*pb.ToEngine_Open); ok {
		return h.open(open.Open)
	}
	if _, ok := command.Command.(*pb.ToEngine_Stats); ok {
		return &pb.Reply{Result: &pb.Reply_Stats{Stats: h.stats()}}, nil
	}
	s := h.session.Load()
	if s == nil {
		return nil, errNotOpen
	}
	ctx, cancel := context.WithTimeout(context.Background(), limitOf(command))
	defer cancel()
	return h.query(ctx, s, command)
}

func limitOf(command *pb.ToEngine) time.Duration {
	switch command.Command.(type) {
	case *pb.ToEngine_ReadHistory:
		return fetchTimeout
	case *pb.ToEngine_Upload, *pb.ToEngine_FetchMedia:
		return mediaTimeout
	default:
		return queryTimeout
	}
}

func (h *host) query(ctx context.Context, s *session.Session, command *pb.ToEngine) (*pb.Reply, error) {
	switch c := command.Command.(type) {
	case *pb.ToEngine_Connect:
		return nil, s.Connect()
	case *pb.ToEngine_Disconnect:
		s.Disconnect()
		return nil, nil
	case *pb.ToEngine_PairPhone:
		code, err := s.PairPhone(ctx, c.PairPhone.Phone)
		return &pb.Reply{Result: &pb.Reply_PairPhone{PairPhone: &pb.PairPhoneResult{Code: code}}}, err
	case *pb.ToEngine_Logout:
		return nil, s.Logout(ctx)
	case *pb.ToEngine_MarkRead:
		return nil, s.MarkRead(ctx, c.MarkRead)
	case *pb.ToEngine_ChatPresence:
		return nil, s.ChatPresence(ctx, c.ChatPresence)
	case *pb.ToEngine_Presence:
		return nil, s.Presence(ctx, c.Presence)
	case *pb.ToEngine_CheckNumbers:
		result, err := s.CheckNumbers(ctx, c.CheckNumbers.Phones)
		return &pb.Reply{Result: &pb.Reply_CheckNumbers{CheckNumbers: result}}, err
	case *pb.ToEngine_GetPicture:
		result, err := s.GetPicture(ctx, c.GetPicture)
		return &pb.Reply{Result: &pb.Reply_Picture{Picture: result}}, err
	case *pb.ToEngine_GetPrivacy:
		result, err := s.GetPrivacy(ctx)
		return &pb.Reply{Result: &pb.Reply_Privacy{Privacy: result}}, err
	case *pb.ToEngine_ReadHistory:
		page, err := s.ReadHistory(ctx, c.ReadHistory)
		return &pb.Reply{Result: &pb.Reply_History{History: page}}, err
	case *pb.ToEngine_FinishHistory:
		return nil, s.FinishHistory(ctx, c.FinishHistory)
	case *pb.ToEngine_AskHistory:
		return nil, s.AskHistory(ctx, c.AskHistory)
	case *pb.ToEngine_Ping:
		return nil, s.Ping(ctx, c.Ping)
	case *pb.ToEngine_Upload:
		result, err := s.Upload(ctx, c.Upload)
		return &pb.Reply{Result: &pb.Reply_Upload{Upload: result}}, err
	case *pb.ToEngine_FetchMedia:
		result, err := s.FetchMedia(ctx, c.FetchMedia)
		return &pb.Reply{Result: &pb.Reply_FetchMedia{FetchMedia: result}}, err
	default:
		return queryGroups(ctx, s, command)
	}
}

func (h *host) open(command *pb.Open) (*pb.Reply, error) {
	if !h.opening.CompareAndSwap(false, true) {
		return nil, &session.Failure{Code: "bad_request", Message: "a store is open already"}
	}
	s, err := session.Open(command, h.post, h.log, h.storeLost)
	if err != nil {
		h.opening.Store(false)
		return nil, err
	}
	h.session.Store(s)
	return &pb.Reply{Result: &pb.Reply_Open{Open: s.Result()}}, nil
}

// storeLost reports that somebody else may use the device now, and ends the process before it can do harm.
func (h *host) storeLost(err error) {
	lost := &pb.Event{
		ReceivedAtMs: time.Now().UnixMilli(),
		Event:        &pb.Event_StoreLost{StoreLost: &pb.StoreLost{Detail: err.Error()}},
	}
	h.post(&pb.FromEngine{Frame: &pb.FromEngine_Event{Event: lost}}, time.After(time.Second))
	// The writer runs beside this one; give it a moment, not more.
	time.Sleep(100 * time.Millisecond)
	os.Exit(exitStoreLost)
}

func (h *host) stats() *pb.StatsResult {
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	result := &pb.StatsResult{
		Goroutines: uint64(runtime.NumGoroutine()),
		HeapBytes:  memory.HeapAlloc,
		RssBytes:   residentBytes(),
	}
	if s := h.session.Load(); s != nil {
		s.Count(result)
	}
	return result
}

// residentBytes is 0 where the system does not tell.
func residentBytes() uint64 {
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(statm))
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseUint(fields[1], 10, 64)
	if err != nil {
		return 0
	}
	return pages * uint64(os.Getpagesize())
}
