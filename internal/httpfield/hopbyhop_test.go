package httpfield

import (
	"net/http"
	"slices"
	"testing"
)

func TestDeleteHopByHop(t *testing.T) {
	for _, name := range []string{
		"Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
		"Accept", "X-Keep-Alive", "Content-Length",
	} {
		h := http.Header{name: {"x"}}
		DeleteHopByHop(h)
		if _, left := h[name]; left == IsHopByHop(name) {
			t.Errorf("%s: about one connection %t, left %t", name, IsHopByHop(name), left)
		}
	}
}

func TestDeleteHopByHop_LeavesTrailersToTheServer(t *testing.T) {
	h := http.Header{"Te": {"deflate", "gzip;q=0.5, Trailers;q=0.5"}}
	DeleteHopByHop(h)
	if !slices.Equal(h["Te"], []string{"trailers"}) {
		t.Errorf("Te: %q", h["Te"])
	}
	h.Add("Te", "x")
	other := http.Header{"Te": {"trailers"}}
	if DeleteHopByHop(other); !slices.Equal(other["Te"], []string{"trailers"}) {
		t.Errorf("what was added to one request's Te is in another's: %q", other["Te"])
	}
}
