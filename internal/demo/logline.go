package demo

import (
	"bytes"
	"encoding/json"
)

// longestLine is far beyond any line of the access log that the demo causes.
const longestLine = 1 << 20

// visit is what the demo reads of a line of the door's access log.
type visit struct {
	Method    string    `json:"method"`
	Status    int       `json:"status"`
	Abort     string    `json:"abort"`
	UserAgent string    `json:"user_agent"`
	Attempts  []attempt `json:"attempts"`
}

type attempt struct {
	Server  string `json:"server"`
	Outcome string `json:"outcome"`
	Status  int    `json:"status"`
}

// left reports whether the client went away before it had an answer.
func (v *visit) left() bool { return v.Status == 499 || v.Abort == "client_gone" }

// first is how the first attempt went, which is all that a client without a door has.
func (v *visit) first() kind {
	if len(v.Attempts) == 0 {
		return other
	}
	return kindOf(v.Attempts[0])
}

// last is how the request went in the end.
func (v *visit) last() kind {
	if v.Status < 400 && v.Abort == "" {
		return fine
	}
	if len(v.Attempts) > 0 {
		if k := kindOf(v.Attempts[len(v.Attempts)-1]); k != fine {
			return k
		}
	}
	return other
}

// logReader is the writer that the door's access log goes to. It calls each with
// every whole line that is one. The log has one writer, so it takes no lock.
type logReader struct {
	each func(visit)
	rest []byte // of a line whose end has not come
}

func (r *logReader) Write(p []byte) (int, error) {
	r.rest = append(r.rest, p...)
	for {
		line, after, whole := bytes.Cut(r.rest, []byte("\n"))
		if !whole {
			break
		}
		var v visit
		if json.Unmarshal(line, &v) == nil {
			r.each(v)
		}
		r.rest = after
	}
	if len(r.rest) > longestLine {
		r.rest = nil
	}
	r.rest = append([]byte(nil), r.rest...) // not the whole past
	return len(p), nil
}
