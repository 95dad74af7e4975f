package lane

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// secureSite is where a handler is served over TLS, and how to ask there.
type secureSite struct {
	address string
	client  *tls.Config
	door    *door // nil: net/http's
}

// secureSites are the lane and net/http with the same handler, over TLS.
func secureSites(t testing.TB, h http.Handler) map[string]secureSite {
	standard := httptest.NewUnstartedServer(h)
	standard.Config.ErrorLog = silent
	standard.StartTLS()
	t.Cleanup(standard.Close)
	client := &tls.Config{RootCAs: standard.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs, ServerName: "example.com"}
	own := &tls.Config{Certificates: standard.TLS.Certificates}
	d := openSecure(t, &Lane{Handler: h, HeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute}, own)
	return map[string]secureSite{
		"lane":     {d.address, client, d},
		"net-http": {standard.Listener.Addr().String(), client, nil},
	}
}

func TestLane_ServesOverTLS(t *testing.T) {
	noticed := make(chan struct{})
	site := secureSites(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if r.URL.Path == "/wait" {
			<-r.Context().Done()
			close(noticed)
			return
		}
		r.Context().Done()
		fmt.Fprint(w, r.TLS.ServerName, " ", len(r.Header), " ", len(b), " ", err)
	}))["lane"]
	c, err := tls.Dial("tcp", site.address, site.client)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	r := bufio.NewReader(c)
	// Heads around the size of what is read first, bodies across records, and
	// requests that lie in TLS when the one before has been answered.
	for _, n := range []int{0, 1, firstSize - 40, firstSize, firstSize + 1, 5000, 7000} {
		for _, times := range []int{1, 3} {
			text := fmt.Sprintf("POST / HTTP/1.1\r\nHost: a.test\r\nX: %s\r\nContent-Length: %d\r\n\r\n%s", long(n), n*5, long(n*5))
			for range times {
				if _, err := io.WriteString(c, text); err != nil {
					t.Fatal(err)
				}
			}
			for range times {
				res, err := http.ReadResponse(r, nil)
				if err != nil {
					t.Fatalf("%d bytes: %v", n, err)
				}
				if body, _ := io.ReadAll(res.Body); string(body) != fmt.Sprintf("example.com 2 %d <nil>", n*5) {
					t.Errorf("%d bytes: %q", n, body)
				}
			}
		}
	}
	if _, err := io.WriteString(c, "GET /wait HTTP/1.1\r\nHost: a.test\r\n\r\n"+getRoot); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the request has come", site.door.conn(0).Busy)
	c.Close()
	<-noticed
	if len(site.door.handedOver()) > 0 {
		t.Error("net/http was asked")
	}
}
