package h1

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/evergate/evergate/internal/edge/proxy/upstream"
	"github.com/evergate/evergate/internal/httpfield"
)

// head is one response head, parsed (RFC 9112 sections 4 and 5).
type head struct {
	status    int
	fields    []upstream.Field // names canonical; Content-Length at most once
	length    int64            // of Content-Length, -1: none
	chunked   bool
	keepAlive bool // the server leaves the connection open
}

// parseHead parses b, a whole head up to and with its empty line, into h. Lines
// end with CRLF; a lone LF is taken for one, as RFC 9112 section 2.2 allows and
// every browser does. All else is refused: a CR within a line, control
// characters, continued lines, a space before a colon, and framing that two
// readers could understand in two ways. h.fields is appended to; strings in it
// share one copy of b. Errors wrap ErrMalformed or are ErrTooManyFields.
func parseHead(b []byte, h *head, fieldMax int) error {
	s := string(b)
	h.fields, h.length, h.chunked = h.fields[:0], -1, false

	line, at := cutLine(b)
	old, err := parseStatus(line, h)
	if err != nil {
		return err
	}
	h.keepAlive = !old
	closing := false
	for {
		var line []byte
		start := at
		line, n := cutLine(b[at:])
		at += n
		if len(line) == 0 {
			break
		}
		if len(h.fields) == fieldMax {
			return ErrTooManyFields
		}
		f, err := parseField(line, s[start:start+len(line)])
		if err != nil {
			return err
		}
		switch f.Name {
		case "Content-Length":
			length, ok := parseLength(f.Value)
			if !ok {
				return fmt.Errorf("%w: content-length %.40q", ErrMalformed, f.Value)
			}
			if h.length >= 0 {
				if length != h.length {
					return fmt.Errorf("%w: two lengths, %d and %d", ErrMalformed, h.length, length)
				}
				continue // the same again
			}
			h.length = length
		case "Transfer-Encoding":
			if old || h.chunked || !strings.EqualFold(f.Value, "chunked") {
				return fmt.Errorf("%w: transfer-encoding %.40q", ErrMalformed, f.Value)
			}
			h.chunked = true
		case "Connection":
			if httpfield.LineHasToken(f.Value, "close") {
				closing = true
			} else if old && httpfield.LineHasToken(f.Value, "keep-alive") {
				h.keepAlive = true
			}
		}
		h.fields = append(h.fields, f)
	}
	if h.chunked && h.length >= 0 {
		return fmt.Errorf("%w: both content-length and transfer-encoding", ErrMalformed)
	}
	h.keepAlive = h.keepAlive && !closing
	return nil
}

// cutLine returns the first line of b without its line end, and the line's size
// with it. b holds at least one line end.
func cutLine(b []byte) (line []byte, size int) {
	i := bytes.IndexByte(b, '\n')
	line = b[:i]
	if i > 0 && line[i-1] == '\r' {
		line = line[:i-1]
	}
	return line, i + 1
}

// parseStatus parses a status line; old says that it is HTTP/1.0.
func parseStatus(line []byte, h *head) (old bool, err error) {
	const size = len("HTTP/1.1 200")
	if len(line) < size || string(line[:7]) != "HTTP/1." || (line[7] != '0' && line[7] != '1') || line[8] != ' ' ||
		(len(line) > size && line[size] != ' ') || !clean(line) {
		return false, fmt.Errorf("%w: status line %.60q", ErrMalformed, line)
	}
	status := 0
	for _, b := range line[9:size] {
		if b < '0' || b > '9' {
			return false, fmt.Errorf("%w: status line %.60q", ErrMalformed, line)
		}
		status = status*10 + int(b-'0')
	}
	if status < 100 {
		return false, fmt.Errorf("%w: status %03d", ErrMalformed, status)
	}
	h.status = status
	return line[7] == '0', nil
}

// parseField parses one field line; s is the same as line.
func parseField(line []byte, s string) (upstream.Field, error) {
	colon := bytes.IndexByte(line, ':')
	if colon <= 0 {
		return upstream.Field{}, fmt.Errorf("%w: field line %.60q", ErrMalformed, line)
	}
	token, canonical := httpfield.InspectName(line[:colon])
	if !token || !clean(line[colon:]) {
		return upstream.Field{}, fmt.Errorf("%w: field line %.60q", ErrMalformed, line)
	}
	name := s[:colon]
	if !canonical {
		name = canonicalName(name)
	}
	from, to := colon+1, len(s)
	for from < to && (s[from] == ' ' || s[from] == '\t') {
		from++
	}
	for from < to && (s[to-1] == ' ' || s[to-1] == '\t') {
		to--
	}
	return upstream.Field{Name: name, Value: s[from:to]}, nil
}

// parseLength parses a Content-Length: digits only, up to 2^62.
func parseLength(s string) (n int64, ok bool) {
	if s == "" || len(s) > 18 {
		return 0, false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int64(s[i]-'0')
	}
	return n, true
}

// clean reports whether b holds no control character but HTAB. It looks at
// eight bytes at once: heads are read for every request.
func clean(b []byte) bool {
	const (
		ones  = 0x0101010101010101
		highs = 0x8080808080808080
	)
	for len(b) >= 8 {
		x := binary.LittleEndian.Uint64(b)
		low := (x - ones*0x20) &^ x & highs // a byte below 0x20
		del := x ^ ones*0x7f
		del = (del - ones) &^ del & highs // a byte that is 0x7f
		if low|del != 0 && !cleanSlow(b[:8]) {
			return false
		}
		b = b[8:]
	}
	return cleanSlow(b)
}

func cleanSlow(b []byte) bool {
	for _, c := range b {
		if (c < ' ' && c != '\t') || c == 0x7f {
			return false
		}
	}
	return true
}
