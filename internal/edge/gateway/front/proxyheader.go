package front

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"time"

	"github.com/pires/go-proxyproto"
)

// proxyBuffer holds the largest header of version 1 (107 bytes) and an ordinary
// one of version 2; larger ones are read through it.
const proxyBuffer = 256

// introduce reads the PROXY header that a listed peer must send first, within
// timeout, and takes the addresses in it for the visitor's. A header that names
// none (LOCAL, UNKNOWN: a balancer's own check) leaves the peer's. What was read
// behind the header waits in c.ahead. Errors: os.ErrDeadlineExceeded, a missing
// or malformed header, or the connection's own.
func (c *conn) introduce(timeout time.Duration) error {
	if err := c.SetReadDeadline(time.Now().Add(timeout)); err != nil {
		return fmt.Errorf("set the time for the PROXY header: %w", err)
	}
	reader := bufio.NewReaderSize(c.TCPConn, proxyBuffer)
	source, destination, err := readIntroduction(reader)
	if err != nil {
		return fmt.Errorf("read the PROXY header: %w", err)
	}
	if source != nil {
		c.address, c.remote, c.local = addressOf(source), source, destination
	}
	if n := reader.Buffered(); n > 0 {
		ahead, err := reader.Peek(n)
		if err != nil {
			return fmt.Errorf("read behind the PROXY header: %w", err)
		}
		c.ahead = bytes.Clone(ahead)
	}
	// What comes now has the server's own time limits (guide, section 7, item 22).
	if err := c.SetReadDeadline(time.Time{}); err != nil {
		return fmt.Errorf("clear the time for the PROXY header: %w", err)
	}
	return nil
}

// readIntroduction reads one PROXY header and not a byte more. Both addresses are
// nil if it names none.
func readIntroduction(r *bufio.Reader) (source, destination *net.TCPAddr, err error) {
	header, err := proxyproto.Read(r)
	if err != nil {
		return nil, nil, err
	}
	if header.Command.IsLocal() {
		return nil, nil, nil
	}
	source, destination, ok := header.TCPAddrs()
	if !ok {
		return nil, nil, nil // a unix socket or UDP before the balancer: no address for us
	}
	if !addressOf(source).IsValid() || addressOf(source).IsUnspecified() {
		return nil, nil, fmt.Errorf("no visitor has the address %s", source)
	}
	return source, destination, nil
}
