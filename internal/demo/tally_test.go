package demo

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/evergate/evergate/internal/demo/clients"
)

// logLines is a piece of an access log: a GET saved by its third attempt, an order
// that was not repeated, a request without any attempt, a person's own request,
// one whose client had left, and something that is no line of ours.
const logLines = `{"id":"1","method":"GET","status":200,"user_agent":"evergate-demo","attempts":[{"server":"http://127.0.0.2:1","class":0,"outcome":"connect","retried":true},{"server":"http://127.0.0.3:1","class":4,"outcome":"status","status":503,"retried":true},{"server":"http://127.0.0.2:1","class":5,"outcome":"success","status":200}]}
{"id":"2","method":"POST","status":502,"user_agent":"evergate-demo","attempts":[{"server":"http://127.0.0.3:1","class":3,"outcome":"reset"}]}
{"id":"3","method":"GET","status":503,"user_agent":"evergate-demo"}
{"id":"4","method":"GET","status":500,"user_agent":"curl","attempts":[{"server":"http://127.0.0.3:1","class":4,"outcome":"status","status":500}]}
{"id":"5","method":"GET","status":499,"user_agent":"evergate-demo","attempts":[{"server":"http://127.0.0.3:1","class":3,"outcome":"canceled"}]}
rubbish
`

func TestTally_AddsUpWhatTheLogSays(t *testing.T) {
	for _, piece := range []int{1, 7, 100, len(logLines)} {
		t.Run(fmt.Sprintf("in pieces of %d bytes", piece), func(t *testing.T) {
			sum := newTally([]string{"127.0.0.2:1", "127.0.0.3:1", "127.0.0.4:1"})
			r := &logReader{each: sum.logged}
			for rest := logLines; rest != ""; {
				n := min(piece, len(rest))
				if _, err := r.Write([]byte(rest[:n])); err != nil {
					t.Fatal(err)
				}
				rest = rest[n:]
			}
			f := sum.figures()
			wantGet := column{logged: 2}
			wantGet.first[refused], wantGet.first[other] = 1, 1
			wantGet.last[fine], wantGet.last[other] = 1, 1
			wantPost := column{logged: 1}
			wantPost.first[reset], wantPost.last[reset] = 1, 1
			if f.get != wantGet || f.post != wantPost {
				t.Errorf("GET %+v, want %+v\nPOST %+v, want %+v", f.get, wantGet, f.post, wantPost)
			}
			if f.attempts != 4 || f.servers["127.0.0.2:1"] != (work{2, 1}) || f.servers["127.0.0.3:1"] != (work{2, 2}) || len(f.servers) != 3 {
				t.Errorf("%d attempts, servers %+v", f.attempts, f.servers)
			}
		})
	}
}

func TestTally_BelievesTheClientsAboutWhatTheySuffered(t *testing.T) {
	sum := newTally(nil)
	sum.answered(clients.Result{Method: "GET", Status: 200}, false)
	sum.answered(clients.Result{Method: "GET", Status: 200, Err: errors.New("cut")}, false)
	sum.answered(clients.Result{Method: "POST", Order: "a", Status: 502}, true)
	sum.answered(clients.Result{Method: "POST", Order: "b", Status: 502}, false)
	sum.answered(clients.Result{Method: "POST", Order: "c", Status: 201}, true)
	f := sum.figures()
	if f.get.sent != 2 || f.get.failed != 1 || f.post.sent != 3 || f.post.failed != 2 || f.carried != 1 {
		t.Errorf("GET %+v, POST %+v, %d carried out", f.get, f.post, f.carried)
	}
}

func TestKindOf(t *testing.T) {
	tests := []struct {
		outcome string
		status  int
		want    kind
	}{
		{"success", 200, fine}, {"connect", 0, refused}, {"reset", 0, reset}, {"timeout", 0, slow},
		{"bad_response", 200, cut}, {"status", 500, status500}, {"status", 503, status503}, {"status", 502, other}, {"canceled", 0, other},
	}
	for _, tt := range tests {
		if got := kindOf(attempt{Outcome: tt.outcome, Status: tt.status}); got != tt.want {
			t.Errorf("%s %d is %q, want %q", tt.outcome, tt.status, got, tt.want)
		}
	}
}

func TestLogReader_GivesUpALineThatNeverEnds(t *testing.T) {
	r := &logReader{each: func(visit) { t.Error("that was no line") }}
	for range 3 {
		if _, err := r.Write([]byte(strings.Repeat("x", longestLine))); err != nil {
			t.Fatal(err)
		}
	}
	if len(r.rest) > longestLine {
		t.Errorf("it keeps %d bytes", len(r.rest))
	}
}
