// Package session runs one WhatsApp device: it opens its store, keeps its connection as told, and translates between
// whatsmeow and the protocol.
package session

import (
	"context"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waCompanionReg"
	waStore "go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"malote.dev/engine/delivery"
	"malote.dev/engine/identity"
	"malote.dev/engine/intake"
	"malote.dev/engine/logs"
	"malote.dev/engine/network"
	pb "malote.dev/engine/protocol"
	"malote.dev/engine/store"
)

const (
	defaultAnswerTimeout = 60 * time.Second
	defaultDeviceName    = "Malote"
	openTimeout          = 30 * time.Second
	dialTimeout          = 10 * time.Second
)

// Session is one open device.
type Session struct {
	client *whatsmeow.Client
	device *waStore.Device
	store  *store.Store
	desk   *delivery.Desk
	intake *intake.Intake
	log    logs.Logger
	sends  chan func()

	connection sync.Mutex // held while the connection is opened or closed
	settings   sync.Mutex // held while a shared setting is sent
	pairing    pairing
	lastError  atomic.Pointer[string] // why WhatsApp is about to close the connection, if it said so
	explained  atomic.Bool            // the connection's end is, or will be, announced by an event of its own
	concluded  atomic.Bool            // and it has been
	lines      *network.Lines         // what the websocket runs over
	silent     atomic.Bool            // WhatsApp did not answer the last ping
	lost       func(error)
	history    history
}

// Open opens the store, takes the device's lock and prepares the client. lost is called, once, when the lock is gone.
func Open(command *pb.Open, post delivery.Post, log logs.Logger, lost func(error)) (*Session, error) {
	transport, err := newTransport(command.Proxy)
	if err != nil {
		return nil, err
	}
	if err := network.Redirect(transport, command.Lab, command.Proxy != ""); err != nil {
		return nil, openingError(err)
	}
	describeDevice(command.DeviceName, command.FullHistory)
	timeout := time.Duration(command.AnswerTimeoutMs) * time.Millisecond
	if timeout == 0 {
		timeout = defaultAnswerTimeout
	}
	s := &Session{intake: intake.New(), log: log, sends: make(chan func(), sendQueue), lost: lost}
	s.desk = delivery.New(post, timeout, s.onPark)
	s.intake.OnControl = s.onControl
	lockWait := time.Duration(command.LockWaitMs) * time.Millisecond
	ctx, cancel := context.WithTimeout(context.Background(), openTimeout+lockWait)
	defer cancel()
	opened, err := store.Open(ctx, store.Request{
		Spec: command.Store, Device: command.Device, Session: command.Session, LockWait: lockWait,
	}, &store.Guard{OnFailure: s.onStoreFailure}, log.Sub("store"))
	if err != nil {
		return nil, err
	}
	s.store, s.device = opened, opened.Device
	if err := s.prepareClient(transport); err != nil {
		opened.Close()
		return nil, err
	}
	go s.runSends()
	go func() { s.lost(opened.Lost()) }()
	return s, nil
}

func openingError(err error) error {
	if network.Lab {
		return fail("bad_request", "%s", err)
	}
	return err
}

func (s *Session) prepareClient(transport *http.Transport) error {
	client := whatsmeow.NewClient(s.device, s.intake.TapLogger(s.log))
	// An acknowledgement promises that the event is stored; these make it come after, and make what was decrypted
	// but not stored survive until WhatsApp sends it again.
	client.SynchronousAck = true
	client.EnableDecryptedEventBuffer = true
	// A receiver that could not decrypt asks for the message again, perhaps after this process has ended.
	client.UseRetryMessageStore = true
	client.AutomaticMessageRerequestFromPhone = true
	// The offer of a part of the history is an event like others; the part is read when the actor asks for it.
	client.ManualHistorySyncDownload = true
	client.DisableManualHistorySyncReceipt = true
	// Which chats are archived, pinned or muted is told to a new device, too (see onSharedSettings).
	client.EmitAppStateEventsOnFullSync = true
	// When to connect again is the actor's decision, also right after pairing (see onEvent).
	client.EnableAutoReconnect = false
	client.DisableLoginAutoReconnect = true
	httpClient := &http.Client{Transport: transport}
	// Of its own, so that only the websocket is cut.
	websocket := transport.Clone()
	s.lines = network.Trace(websocket)
	client.SetWebsocketHTTPClient(&http.Client{Transport: websocket})
	client.SetPreLoginHTTPClient(httpClient)
	client.SetMediaHTTPClient(&http.Client{Transport: freshDownloads{transport}})
	err := intake.Intercept(client, func(tag string, h intake.Handler) intake.Handler {
		switch tag {
		case "failure":
			h = s.afterFailure(h)
		case "notification":
			h = beforeGroupChange(h)
		case "receipt":
			h = s.onRetries(h)
		case "message":
			h = s.onPeers(h)
		}
		return s.intake.Wrap(tag, h)
	})
	if err != nil {
		return fail("internal", "%s", err)
	}
	client.AddEventHandlerWithSuccessStatus(s.onEvent)
	s.client = client
	return nil
}

// newTransport returns a transport that uses the proxy, or the environment's if none is given.
func newTransport(proxy string) (*http.Transport, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSHandshakeTimeout = dialTimeout
	if proxy == "" {
		return transport, nil
	}
	address, err := url.Parse(proxy)
	if err != nil || address.Host == "" {
		return nil, fail("bad_request", "the proxy is not a URL")
	}
	switch address.Scheme {
	case "http", "https", "socks5":
		transport.Proxy = http.ProxyURL(address)
		return transport, nil
	default:
		return nil, fail("bad_request", "a proxy is http, https or socks5, not %q", address.Scheme)
	}
}

// describeDevice sets what the phone shows in its list of linked devices, and how much history it offers to a new one.
// whatsmeow keeps it for the whole process.
func describeDevice(name string, fullHistory bool) {
	if name == "" {
		name = defaultDeviceName
	}
	waStore.DeviceProps.Os = proto.String(name)
	waStore.DeviceProps.RequireFullSync = proto.Bool(fullHistory)
	waStore.DeviceProps.PlatformType = waCompanionReg.DeviceProps_CHROME.Enum()
}

// Result describes the device as the store knows it.
func (s *Session) Result() *pb.OpenResult {
	result := &pb.OpenResult{PushName: s.device.PushName}
	if id := s.device.GetJID(); !id.IsEmpty() {
		result.Device = id.String()
		result.Lid = s.device.GetLID().User
	}
	return result
}

// Answer passes on the actor's answer to an event.
func (s *Session) Answer(answer *pb.Answer) {
	s.desk.Answer(answer.EventId, answer.Stored, answer.Reason)
}

// onStoreFailure runs within the failed operation: what is being handled must not be acknowledged.
func (s *Session) onStoreFailure(err error) {
	s.intake.Abort()
	s.log.Errorf("%v", err)
	s.desk.Park(delivery.Store, err.Error())
}

// onPark closes the connection. The report comes last: the actor may connect as soon as it has it.
func (s *Session) onPark(cause delivery.Cause, detail string) {
	s.intake.Abort()
	go func() {
		s.connection.Lock()
		defer s.connection.Unlock()
		s.hangUp()
		s.announce(&pb.Event{Event: &pb.Event_Parked{Parked: &pb.Parked{Cause: string(cause), Detail: detail}}})
	}()
}

func (s *Session) announce(event *pb.Event) { s.desk.Announce(event) }

// identify gives both identities of a person, asking the store for what WhatsApp did not send along.
func (s *Session) identify(ctx context.Context, jid, alt types.JID) *pb.Identity {
	return identity.Of(ctx, jid, alt, s.lookup)
}

func (s *Session) lookup(ctx context.Context, jid types.JID) types.JID {
	other, err := s.device.GetAltJID(ctx, jid)
	if err != nil {
		return types.EmptyJID
	}
	return other
}

// Count fills in what this session has counted.
func (s *Session) Count(result *pb.StatsResult) {
	counters := s.desk.Counters()
	result.EventsSent = counters.Sent
	result.EventsStored = counters.Stored
	result.EventsRefused = counters.Refused
	result.AnswersLate = counters.Late
	result.WaitingAnswers = counters.Waiting
	result.GateWaits = s.intake.Waits()
}
