package accesslog

import (
	"crypto/tls"
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/exchange"
)

func example() *exchange.Exchange {
	return &exchange.Exchange{
		ID: "01j", Start: time.Date(2021, 6, 8, 7, 0, 0, 123456789, time.UTC),
		Peer: netip.MustParseAddr("10.0.0.1"), Client: netip.MustParseAddr("2001:db8::1"),
		Scheme: "https", Proto: "HTTP/2.0", TLS: exchange.TLS{Version: tls.VersionTLS13, SNI: "shop.example.org"},
		Method: "POST", Host: "shop.example.org", Path: "/a", Query: "x=1&Token=abc&token&y",
		Site: "shop.example.org", Route: "/*", Origin: "shop",
		QueueWait: 1500 * time.Microsecond, QueuePosition: 2,
		Attempts: []exchange.Attempt{
			{Server: "10.0.0.7:80", Duration: time.Millisecond, Class: exchange.FullySent, Outcome: exchange.Reset, Retried: true, Error: "read: \"reset\""},
			{Server: "10.0.0.8:80", After: time.Millisecond, Duration: 2 * time.Millisecond, Class: exchange.Forwarded, Status: 200},
		},
		BytesIn: 3, BytesOut: 4, Status: 200, Duration: 12345 * time.Microsecond,
		UserAgent: "curl/8\x01\xff", Referer: "https://a.example/?code=1&p=2",
	}
}

func TestAppendLine_TellsEverything(t *testing.T) {
	line := appendLine(nil, example(), newRedaction([]string{"token", "code"}), new(stamps))
	want := `{"time":"2021-06-08T07:00:00.123Z","id":"01j","client":"2001:db8::1","peer":"10.0.0.1","method":"POST",` +
		`"scheme":"https","host":"shop.example.org","path":"/a","query":"x=1&Token=***&token&y","proto":"HTTP/2.0","tls":"1.3",` +
		`"sni":"shop.example.org","site":"shop.example.org","route":"/*","origin":"shop","status":200,"bytes_in":3,"bytes_out":4,` +
		`"ms":12.345,"queue_ms":1.500,"queue_position":2,"attempts":[` +
		`{"server":"10.0.0.7:80","after_ms":0.000,"ms":1.000,"class":3,"outcome":"reset","retried":true,"error":"read: \"reset\""},` +
		`{"server":"10.0.0.8:80","after_ms":1.000,"ms":2.000,"class":5,"outcome":"success","status":200}],` +
		`"user_agent":"curl/8\u0001\ufffd","referer":"https://a.example/?code=***&p=2"}` + "\n"
	if string(line) != want {
		t.Errorf("line is\n%s\nwant\n%s", line, want)
	}
}

func TestAppendLine_AllocatesNothing(t *testing.T) {
	times := new(stamps)
	x, hide := example(), newRedaction([]string{"token", "code"})
	buf := make([]byte, 0, 4096)
	if n := testing.AllocsPerRun(100, func() { buf = appendLine(buf[:0], x, hide, times) }); n > 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

func FuzzAppendLine(f *testing.F) {
	f.Add("GET", "/", "a=b", "Mozilla/5.0", "https://x/?token=1", "fe80::1%eth\"0")
	f.Add("\x00", "\\\"\n", "&&=&", "\xff\xc0\xaf", "?", "10.0.0.1")
	f.Add("G", strings.Repeat("ä", longestText), strings.Repeat("a&", longestText), "\u2028", "", "")
	f.Fuzz(func(t *testing.T, method, path, query, agent, referer, addr string) {
		x := example()
		x.Method, x.Path, x.Query, x.UserAgent, x.Referer = method, path, query, agent, referer
		x.Client, _ = netip.ParseAddr(addr)
		x.Denial, x.Attempts[0].Error = path, agent
		for _, names := range [][]string{nil, {"token"}, {"*"}} {
			line := appendLine(nil, x, newRedaction(names), new(stamps))
			var got map[string]any
			if err := json.Unmarshal(line, &got); err != nil {
				t.Fatalf("not JSON: %v\n%s", err, line)
			}
			if strings.Count(string(line), "\n") != 1 || line[len(line)-1] != '\n' {
				t.Fatalf("not one line: %q", line)
			}
			if len(path) <= longestText && path != "" && got["path"] != strings.ToValidUTF8(path, "\ufffd") && got["path"] != invalidReplaced(path) {
				t.Fatalf("path is %q, want %q", got["path"], path)
			}
			if len(line) > 64<<10 {
				t.Fatalf("a line of %d bytes", len(line))
			}
		}
	})
}

// invalidReplaced replaces each byte that is not UTF-8, where
// strings.ToValidUTF8 replaces each run of them.
func invalidReplaced(s string) string { return string([]rune(s)) }

func BenchmarkAppendLine(b *testing.B) {
	times := new(stamps)
	x, hide := example(), newRedaction([]string{"access_token", "api_key", "apikey", "code", "token"})
	x.Attempts, x.Query, x.Referer = x.Attempts[1:], "", ""
	buf := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		buf = appendLine(buf[:0], x, hide, times)
	}
}
