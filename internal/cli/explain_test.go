package cli

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/evergate/evergate/internal/server"
)

const explained = "testdata/explain/evergate.yaml"

func TestExplain(t *testing.T) {
	tests := []struct {
		name string // also of the golden file
		args []string
	}{
		{"get", []string{"https://shop.example.org/api/cart?id=1"}},
		{"post", []string{"https://shop.example.org/api/cart", "-X", "POST"}},
		{"post-with-key", []string{"https://shop.example.org/api/cart", "-X", "POST", "-H", "Idempotency-Key: 1"}},
		{"post-that-may-be-repeated-after-a-status", []string{"https://shop.example.org/pay", "--method", "POST", "--client", "192.0.2.7"}},
		{"strip-prefix-hash-one-attempt", []string{"https://shop.example.org/static/../static/a%20b.css"}},
		{"rewrite", []string{"https://sub.shop.example.org/v1/x?y=1"}},
		{"websocket", []string{"https://shop.example.org/api/live", "-H", "Connection: Upgrade", "-H", "Upgrade: websocket"}},
		{"buffered-upload-dry-run", []string{"https://shop.example.org/upload", "-X", "PUT", "-H", "Content-Length: 5"}},
		{"redirect-route", []string{"https://shop.example.org/old/a?b=c"}},
		{"moved-host", []string{"https://www.example.org/a?b=c"}},
		{"to-https", []string{"http://shop.example.org/api/cart"}},
		{"fixed-answer", []string{"https://shop.example.org/status"}},
		{"denied-by-the-site", []string{"https://shop.example.org/api/cart", "--client", "203.0.113.9"}},
		{"denied-by-the-route", []string{"https://shop.example.org/pay"}},
		{"maintenance", []string{"https://closed.example.org/"}},
		{"unknown-host", []string{"https://other.example.net/"}},
		{"no-route", []string{"https://shop.example.org/nowhere"}},
		{"wrong-method", []string{"https://shop.example.org/upload"}},
		{"two-readings-of-a-path", []string{"https://shop.example.org/api/..%2fadmin"}},
		{"visitor-behind-a-trusted-proxy", []string{"https://shop.example.org/api/cart", "--client", "10.0.0.1", "-H", "X-Forwarded-For: 203.0.113.9"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			code, stdout, stderr := run(append([]string{"explain", "--config", explained}, tt.args...)...)
			if code != exitOK || stderr != "" {
				t.Fatalf("code %d, stderr %q", code, stderr)
			}
			golden(t, "testdata/explain/"+tt.name+".txt", []byte("$ evergate explain "+strings.Join(tt.args, " ")+"\n"+stdout))
		})
	}
}

func TestExplain_JSON(t *testing.T) {
	code, stdout, stderr := run("explain", "-c", explained, "-o", "json", "shop.example.org/v1/x?y=1")
	if code != exitOK || stderr != "" {
		t.Fatalf("code %d, stderr %q", code, stderr)
	}
	var e server.Explanation
	if err := json.Unmarshal([]byte(stdout), &e); err != nil {
		t.Fatal(err)
	}
	if e.Request.Scheme != "https" { // without a scheme it is the one that is listened for
		t.Errorf("the scheme is %s", e.Request.Scheme)
	}
	if e.Answer != nil || e.Route.Name != "old api" || e.Sent.Target != "/api/x?y=1" || e.Origin.Name != "shop" || len(e.Retry.Verdicts) == 0 {
		t.Errorf("got %s", stdout)
	}
}

func TestExplain_RefusesWhatIsNoRequest(t *testing.T) {
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"no host", []string{"https:///x"}, "must begin with http:// or https:// and a host"},
		{"another scheme", []string{"ftp://shop.example.org/"}, "must begin with http:// or https://"},
		{"a header without colon", []string{"shop.example.org", "-H", "X-A"}, `want "Name: value"`},
		{"a header that the URL gives", []string{"shop.example.org", "-H", "host: x"}, "the Host is that of the URL"},
		{"a client that is no address", []string{"shop.example.org", "--client", "me"}, "want an address"},
		{"a method that is none", []string{"shop.example.org", "-X", "GE T"}, "read the method"},
		{"a length that is none", []string{"shop.example.org", "-H", "Content-Length: x"}, "Content-Length"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			code, stdout, stderr := run(append([]string{"explain", "-c", explained}, tt.args...)...)
			if code != exitUsage || stdout != "" || !strings.Contains(stderr, tt.want) {
				t.Errorf("code %d, stdout %q, stderr %q", code, stdout, stderr)
			}
		})
	}
}
