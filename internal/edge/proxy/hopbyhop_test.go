package proxy

import (
	"maps"
	"net/http"
	"reflect"
	"slices"
	"testing"

	"github.com/evergate/evergate/internal/edge/proxy/upstream"
)

func TestStripRequest(t *testing.T) {
	tests := []struct {
		name    string
		header  http.Header
		left    http.Header
		upgrade string
	}{
		{"ordinary fields stay", http.Header{"Accept": {"a", "b"}, "Cookie": {"x=y"}}, http.Header{"Accept": {"a", "b"}, "Cookie": {"x=y"}}, ""},
		{"all that is about the connection goes", http.Header{
			"Connection": {"keep-alive"}, "Keep-Alive": {"timeout=5"}, "Proxy-Connection": {"x"}, "Proxy-Authorization": {"x"},
			"Proxy-Authenticate": {"x"}, "Transfer-Encoding": {"chunked"}, "Trailer": {"A"}, "Upgrade": {"h2c"}, "Content-Length": {"5"},
			"Expect": {"100-continue"}, "Te": {"gzip"},
		}, http.Header{}, ""},
		{"what Connection names goes, in any letter case and on any line", http.Header{
			"Connection": {"x-one, X-TWO", "  x-three ,,"}, "X-One": {"1"}, "X-Two": {"2"}, "X-Three": {"3"}, "X-Four": {"4"},
		}, http.Header{"X-Four": {"4"}}, ""},
		{"TE: trailers stays", http.Header{"Te": {"deflate, trailers;q=0.5"}}, http.Header{"Te": {"trailers"}}, ""},
		{"TE that Connection names was for us", http.Header{"Connection": {"te"}, "Te": {"trailers"}}, http.Header{}, ""},
		{"an upgrade is told", http.Header{"Connection": {"keep-alive, Upgrade"}, "Upgrade": {"websocket"}}, http.Header{}, "websocket"},
		{"an upgrade that Connection does not name is none", http.Header{"Upgrade": {"websocket"}}, http.Header{}, ""},
		{"two upgrades at once are none", http.Header{"Connection": {"upgrade"}, "Upgrade": {"websocket", "h2c"}}, http.Header{}, ""},
		{"a visitor cannot say which attempt it is", http.Header{"Evergate-Attempt": {"9"}}, http.Header{}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := tt.header.Clone()
			upgrade := stripRequest(h)
			if !reflect.DeepEqual(h, tt.left) || upgrade != tt.upgrade {
				t.Errorf("left %v, upgrade %q; want %v, %q", h, upgrade, tt.left, tt.upgrade)
			}
		})
	}
}

func TestCopyFields(t *testing.T) {
	fields := []upstream.Field{
		{Name: "Content-Type", Value: "text/plain"}, {Name: "Set-Cookie", Value: "a=1"}, {Name: "Connection", Value: "close, x-secret"},
		{Name: "X-Secret", Value: "s"}, {Name: "Set-Cookie", Value: "b=2"}, {Name: "Keep-Alive", Value: "timeout=5"},
		{Name: "Transfer-Encoding", Value: "chunked"}, {Name: "Content-Length", Value: "5"}, {Name: "Trailer", Value: "T"},
		{Name: "Upgrade", Value: "h2"}, {Name: "Proxy-Authenticate", Value: "x"}, {Name: "X-Empty", Value: ""},
	}
	h := http.Header{"X-Ours": {"1"}}
	copyFields(h, fields, true)
	want := http.Header{
		"X-Ours": {"1"}, "Content-Type": {"text/plain"}, "Set-Cookie": {"a=1", "b=2"}, "Content-Length": {"5"}, "X-Empty": {""},
	}
	if !reflect.DeepEqual(h, want) {
		t.Errorf("got %v, want %v", h, want)
	}
	h = http.Header{}
	copyFields(h, fields, false)
	if _, ok := h["Content-Length"]; ok {
		t.Error("Content-Length stays although the length is unknown")
	}
	before := slices.Clone(h["Content-Type"])
	h["Content-Type"] = append(h["Content-Type"], "x")
	if !slices.Equal(h["Set-Cookie"], []string{"a=1", "b=2"}) || !slices.Equal(before, []string{"text/plain"}) {
		t.Errorf("a value appended to one field is in another: %v", h)
	}
}

func TestAnnounce(t *testing.T) {
	h := http.Header{"X-Both": {"1"}}
	got := announce(h, []upstream.Field{{Name: "Trailer", Value: "grpc-status, X-Both ,, content-length, transfer-encoding"}, {Name: "Trailer", Value: "X-Sum"}})
	if want := map[string]bool{"Grpc-Status": true, "X-Sum": true}; !maps.Equal(got, want) {
		t.Errorf("announced %v, want %v", got, want)
	}
	if want := []string{"Grpc-Status", "X-Sum"}; !slices.Equal(h["Trailer"], want) {
		t.Errorf("Trailer %v, want %v", h["Trailer"], want)
	}
}
