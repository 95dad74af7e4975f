package front

import (
	"crypto/tls"
	"errors"
	"io"
)

// secureRest is a TLS connection from which the fast lane has read the beginning
// of a request that net/http is to serve. net/http does not see that it is TLS;
// the front says so in each of its requests.
type secureRest struct {
	*tls.Conn
	beneath *conn
	ahead   []byte
}

// Write sends b. What net/http refuses by itself can be seen only here, where it
// is not yet encrypted.
func (s *secureRest) Write(b []byte) (int, error) {
	s.beneath.noteRefusal(b)
	return s.Conn.Write(b)
}

// Read returns what was read ahead first.
func (s *secureRest) Read(b []byte) (int, error) {
	if len(s.ahead) > 0 {
		n := copy(b, s.ahead)
		if s.ahead = s.ahead[n:]; len(s.ahead) == 0 {
			s.ahead = nil
		}
		return n, nil
	}
	return s.Conn.Read(b)
}

// sayPlainly tells a visitor who spoke HTTP to a TLS port so, if that is what err
// of the handshake says. net/http does it like this.
func (c *conn) sayPlainly(err error) {
	var record tls.RecordHeaderError
	if !errors.As(err, &record) || record.Conn == nil {
		return
	}
	switch string(record.RecordHeader[:]) {
	case "GET /", "HEAD ", "POST ", "PUT /", "OPTIO":
		// The connection is closed whether he hears it or not.
		_, _ = io.WriteString(record.Conn, "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n")
	}
}
