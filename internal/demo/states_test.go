package demo

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestServerStates_ReadsTheDoorsMetrics(t *testing.T) {
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/metrics" {
			t.Errorf("asked for %s", r.URL.Path)
		}
		io.WriteString(w, `# HELP evergate_server_state 1 for the state that the server is in, 0 for the others.
evergate_server_state{origin="vendor",server="http://127.0.0.2:1",state="ejected"} 0
evergate_server_state{origin="vendor",server="http://127.0.0.2:1",state="up"} 1
evergate_server_state{origin="vendor",server="http://127.0.0.3:1",state="ejected"} 1
evergate_other{server="x"} 1
`)
	}))
	defer web.Close()
	states, err := serverStates(t.Context(), web.Client(), strings.TrimPrefix(web.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	if len(states) != 2 || states["127.0.0.2:1"] != "up" || states["127.0.0.3:1"] != "ejected" {
		t.Errorf("states are %v", states)
	}
}
