package peer

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPeersAreConfigured fills every configuration, plain and with TLS; whether
// the programs like it, the check before each measurement finds out.
func TestPeersAreConfigured(t *testing.T) {
	cert, key, err := Certificate(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range All() {
		for _, tls := range []bool{false, true} {
			dir := t.TempDir()
			s := Setup{
				Port: 4711, AdminPort: 4712, Origin: "127.0.0.1:4713", TLS: tls, Cert: cert, Key: key,
				Dir: dir, AccessLog: filepath.Join(dir, "access.log"), Processors: 2,
			}
			args, _, err := p.configure(s)
			if err != nil {
				t.Errorf("%s: %v", p.Name, err)
				continue
			}
			all := strings.Join(args, " ")
			for _, arg := range args {
				if text, err := os.ReadFile(arg); err == nil {
					all += string(text)
				}
			}
			for _, want := range []string{"4711", "127.0.0.1:4713"} {
				if !strings.Contains(all, want) {
					t.Errorf("%s (TLS %t): nothing about %s in %s", p.Name, tls, want, all)
				}
			}
			if p.Logs && !strings.Contains(all, s.AccessLog) && p.Name != "haproxy" { // its log is its stdout
				t.Errorf("%s (TLS %t): no access log in %s", p.Name, tls, all)
			}
		}
	}
}
