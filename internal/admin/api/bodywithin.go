package api

import (
	"errors"
	"io"
	"net/http"
	"time"
)

// bodyTime is how long a body may take to arrive: 64 KiB come in it over any line
// that an operator would use.
const bodyTime = 10 * time.Second

// BodyWithin bounds the time that the body of a request may take, 10 s, whether next
// reads it or not: what it leaves is read by net/http before the answer is over. A
// time limit of the server (ReadTimeout) would go on running after the body, and end
// streams.
func BodyWithin(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			control := http.NewResponseController(w)
			// Without deadlines (a test's recorder) there is nobody to wait for either.
			_ = control.SetReadDeadline(time.Now().Add(bodyTime))
			// A copy: by the type of its own request's body net/http knows, when the answer
			// goes out, whether the body was read to its end.
			r = r.WithContext(r.Context())
			r.Body = &timedBody{ReadCloser: r.Body, control: control}
		}
		next.ServeHTTP(w, r)
	})
}

// timedBody takes the deadline away when the body is here: the connection is read on
// to see whether the client is still there, which is no sign of anything else.
type timedBody struct {
	io.ReadCloser
	control *http.ResponseController
}

func (b *timedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		_ = b.control.SetReadDeadline(time.Time{})
	}
	return n, err
}
