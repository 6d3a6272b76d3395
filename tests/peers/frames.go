// A look at the WebSocket and remotedialer frames of one accepted socket, without touching them.
//
// The remotedialer server keeps its keep-alive to itself, so the connection below it is watched instead: after the
// upgrade both directions are parsed frame by frame (RFC 6455 §5.2; message header: remotedialer message.go,
// rancher-protocol §3) and only counted.

package main

import (
	"crypto/tls"
	"encoding/binary"
	"net"
	"sync"
	"time"
)

// messageNames are the remotedialer message types by number.
var messageNames = map[int64]string{
	1: "Data", 2: "Connect", 3: "Error", 4: "AddClient",
	5: "RemoveClient", 6: "Pause", 7: "Resume", 8: "SyncConnections",
}

const (
	messageData   = 1
	messageError  = 3
	messagePause  = 6
	messageResume = 7

	// prefixSize holds a masked message header (three varints and a deadline) and the start of an error text.
	prefixSize = 160
	// pauseGrace is how long data may still arrive on a paused stream: what was on its way when Pause was sent.
	pauseGrace = time.Second
)

// watchedConn is an accepted connection whose WebSocket frames are counted once it was upgraded.
type watchedConn struct {
	net.Conn

	mu      sync.Mutex
	frames  *frameLog
	stalled bool
}

func newWatchedConn(c net.Conn) *watchedConn {
	return &watchedConn{Conn: c}
}

// startFrames begins to count: what follows in both directions is the upgrade answer and then frames.
func (c *watchedConn) startFrames() *frameLog {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.frames = newFrameLog()
	return c.frames
}

// stall plays a server that hangs: the socket stays open, what arrives is lost, and nothing is answered. The session
// ends when its read deadline passes.
func (c *watchedConn) stall() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stalled = true
}

func (c *watchedConn) watching() (frames *frameLog, stalled bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.frames, c.stalled
}

func (c *watchedConn) Read(b []byte) (int, error) {
	for {
		n, err := c.Conn.Read(b)
		frames, stalled := c.watching()
		if stalled && err == nil {
			continue
		}
		if frames != nil && !stalled && n > 0 {
			frames.fromAgent(b[:n])
		}
		return n, err
	}
}

func (c *watchedConn) Write(b []byte) (int, error) {
	frames, stalled := c.watching()
	if stalled {
		return len(b), nil
	}
	if frames != nil {
		frames.toAgent(b)
	}
	return c.Conn.Write(b)
}

// reset closes the socket with RST instead of FIN.
func (c *watchedConn) reset() error {
	raw := c.Conn
	if t, ok := raw.(*tls.Conn); ok {
		raw = t.NetConn()
	}
	if t, ok := raw.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
		return t.Close()
	}
	return c.Close()
}

// watchedListener accepts watched connections; TLS ends below them, so that they see plain frames.
type watchedListener struct {
	net.Listener
	tls *tls.Config
}

func (l *watchedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if l.tls != nil {
		c = tls.Server(c, l.tls)
	}
	return newWatchedConn(c), nil
}

// frameLog counts the frames of one WebSocket, seen from the server.
type frameLog struct {
	mu sync.Mutex

	in, out frameParser

	pings        int
	pongs        int
	lastPing     time.Time
	opened       time.Time
	minPingGap   time.Duration
	maxPingGap   time.Duration
	textFrames   int
	binaryFrames int
	unmasked     int
	closeFrames  int
	closeCode    int
	bytesIn      int64
	bytesOut     int64
	received     map[string]int
	sent         map[string]int
	errorTexts   []string
	paused       map[int64]time.Time
	latePaused   int64
	whilePaused  int64
	undecodable  int
}

func newFrameLog() *frameLog {
	return &frameLog{
		opened:   time.Now(),
		received: map[string]int{},
		sent:     map[string]int{},
		paused:   map[int64]time.Time{},
		out:      frameParser{skippingHTTP: true},
	}
}

func (l *frameLog) fromAgent(b []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bytesIn += int64(len(b))
	l.in.feed(b, l.agentFrame)
}

func (l *frameLog) toAgent(b []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bytesOut += int64(len(b))
	l.out.feed(b, l.serverFrame)
}

func (l *frameLog) agentFrame(f frame) {
	now := time.Now()
	if !f.masked {
		l.unmasked++
	}
	switch f.opcode {
	case 1:
		l.textFrames++
	case 2:
		l.binaryFrames++
		l.agentMessage(f, now)
	case 8:
		l.closeFrames++
		if len(f.prefix) >= 2 {
			l.closeCode = int(binary.BigEndian.Uint16(f.prefix))
		}
	case 9:
		l.ping(now)
	case 10:
		l.pongs++
	}
}

func (l *frameLog) ping(now time.Time) {
	since := l.lastPing
	if since.IsZero() {
		since = l.opened
	} else if gap := now.Sub(since); l.minPingGap == 0 || gap < l.minPingGap {
		l.minPingGap = gap
	}
	if gap := now.Sub(since); gap > l.maxPingGap {
		l.maxPingGap = gap
	}
	l.pings++
	l.lastPing = now
}

func (l *frameLog) agentMessage(f frame, now time.Time) {
	m, ok := parseMessage(f)
	if !ok {
		l.undecodable++
		return
	}
	l.received[m.name()]++
	switch m.kind {
	case messageData:
		if since, paused := l.paused[m.connID]; paused {
			l.whilePaused += m.bodySize
			if now.Sub(since) > pauseGrace {
				l.latePaused += m.bodySize
			}
		}
	case messageError:
		delete(l.paused, m.connID)
		if text := string(m.body); text != "EOF" && len(l.errorTexts) < 50 {
			l.errorTexts = append(l.errorTexts, text)
		}
	}
}

func (l *frameLog) serverFrame(f frame) {
	if f.opcode != 2 {
		return
	}
	m, ok := parseMessage(f)
	if !ok {
		return
	}
	l.sent[m.name()]++
	switch m.kind {
	case messagePause:
		l.paused[m.connID] = time.Now()
	case messageResume, messageError:
		delete(l.paused, m.connID)
	}
}

// frame is one WebSocket frame: its header and the first bytes of its payload, unmasked.
type frame struct {
	opcode byte
	masked bool
	size   int64
	prefix []byte
}

// frameParser cuts a byte stream into frames; it keeps no payload beyond the prefix.
type frameParser struct {
	// skippingHTTP is true until the blank line that ends the upgrade answer.
	skippingHTTP bool
	blank        int

	header  []byte
	frame   frame
	mask    [4]byte
	left    int64
	inFrame bool
}

func (p *frameParser) feed(b []byte, emit func(frame)) {
	for len(b) > 0 {
		switch {
		case p.skippingHTTP:
			b = p.skipHTTP(b)
		case !p.inFrame:
			b = p.readHeader(b)
		default:
			b = p.readPayload(b)
		}
		if p.inFrame && p.left == 0 {
			emit(p.frame)
			p.inFrame = false
			p.header = p.header[:0]
		}
	}
}

func (p *frameParser) skipHTTP(b []byte) []byte {
	const end = "\r\n\r\n"
	for i, c := range b {
		if c != end[p.blank] {
			p.blank = 0
		}
		if c == end[p.blank] {
			p.blank++
		}
		if p.blank == len(end) {
			p.skippingHTTP = false
			return b[i+1:]
		}
	}
	return nil
}

func (p *frameParser) readHeader(b []byte) []byte {
	for len(b) > 0 {
		p.header = append(p.header, b[0])
		b = b[1:]
		if len(p.header) < 2 {
			continue
		}
		need, extended := 2, 0
		switch p.header[1] & 0x7f {
		case 126:
			extended = 2
		case 127:
			extended = 8
		}
		masked := p.header[1]&0x80 != 0
		need += extended
		if masked {
			need += 4
		}
		if len(p.header) < need {
			continue
		}
		size := int64(p.header[1] & 0x7f)
		switch extended {
		case 2:
			size = int64(binary.BigEndian.Uint16(p.header[2:]))
		case 8:
			size = int64(binary.BigEndian.Uint64(p.header[2:]))
		}
		if masked {
			copy(p.mask[:], p.header[need-4:])
		} else {
			p.mask = [4]byte{}
		}
		p.frame = frame{opcode: p.header[0] & 0x0f, masked: masked, size: size}
		p.left = size
		p.inFrame = true
		return b
	}
	return b
}

func (p *frameParser) readPayload(b []byte) []byte {
	n := min(p.left, int64(len(b)))
	for i := int64(0); i < n && len(p.frame.prefix) < prefixSize; i++ {
		p.frame.prefix = append(p.frame.prefix, b[i]^p.mask[len(p.frame.prefix)%4])
	}
	p.left -= n
	return b[n:]
}

// message is the header of a remotedialer message and the start of its body.
type message struct {
	connID   int64
	kind     int64
	bodySize int64
	body     []byte
}

func (m message) name() string {
	if name, ok := messageNames[m.kind]; ok {
		return name
	}
	return "unknown"
}

func parseMessage(f frame) (message, bool) {
	rest := f.prefix
	var fields [3]int64
	for i := range fields {
		v, n := binary.Varint(rest)
		if n <= 0 {
			return message{}, false
		}
		fields[i], rest = v, rest[n:]
	}
	m := message{connID: fields[1], kind: fields[2]}
	if m.kind == messageData || m.kind == 2 {
		_, n := binary.Varint(rest)
		if n <= 0 {
			return message{}, false
		}
		rest = rest[n:]
	}
	m.body = rest
	m.bodySize = f.size - int64(len(f.prefix)-len(rest))
	return m, true
}
