package front

import (
	"log/slog"
	"net/http"
	"testing"

	"github.com/evergate/evergate/internal/config"
)

func TestRung(t *testing.T) {
	const limit = 1000
	tests := []struct {
		used uint64
		want int32
	}{
		{0, allIsWell}, {919, allIsWell}, {920, endKeepAlive}, {949, endKeepAlive}, {950, refuseRequests}, {5000, refuseRequests},
	}
	for _, tt := range tests {
		if got := rung(tt.used, limit); got != tt.want {
			t.Errorf("%d of %d bytes: rung %d, want %d", tt.used, limit, got, tt.want)
		}
	}
}

func TestLadder_TellsTheGarbageCollectorOnce(t *testing.T) {
	t.Setenv("GOMEMLIMIT", "")
	var told []int64
	l := newLadder(func() uint64 { return 0 }, slog.New(slog.DiscardHandler))
	l.cgroup = func() int64 { return 2000 }
	l.setMemoryLimit = func(n int64) int64 { told = append(told, n); return 0 }
	defer l.close()
	l.apply(0)
	l.apply(0)
	l.apply(1000)
	if len(told) != 2 || told[0] != 1700 || told[1] != 850 {
		t.Errorf("told %v, want 85 %% of the cgroup's limit, then of the configured one", told)
	}
	t.Setenv("GOMEMLIMIT", "1GiB")
	l.apply(3000)
	if len(told) != 2 {
		t.Error("overruled the operator's GOMEMLIMIT")
	}
}

func TestFront_ClimbsTheMemoryLadder(t *testing.T) {
	cfg := basicConfig()
	cfg.Limits.Memory = config.Size(1000)
	h := newHouse(t, cfg, hello)
	tests := []struct {
		name   string
		memory uint64
		status int
		close  bool
		retry  string
	}{
		{"below the ladder all is well", 900, 200, false, ""},
		{"at 92 % answers end their connection", 920, 200, true, ""},
		{"at 95 % requests are refused", 950, 503, true, "2"},
		{"and all is well again", 100, 200, false, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h.memory.Store(tt.memory)
			h.front.ladder.look(1000)
			for _, http2 := range []bool{false, true} {
				res, err := h.client(http2).Get("https://" + h.https())
				if err != nil {
					t.Fatal(err)
				}
				res.Body.Close()
				if res.StatusCode != tt.status || res.Header.Get("Retry-After") != tt.retry {
					t.Errorf("%s: got %s, Retry-After %q; want %d, %q", res.Proto, res.Status, res.Header.Get("Retry-After"), tt.status, tt.retry)
				}
				if !http2 && res.Close != tt.close {
					t.Errorf("connection ends: %v, want %v", res.Close, tt.close)
				}
			}
		})
	}
}

func TestFront_GoesAwayFromHTTP2VisitorsUnderMemoryPressure(t *testing.T) {
	cfg := basicConfig()
	cfg.Limits.Memory = config.Size(1000)
	h := newHouse(t, cfg, hello)
	c := h.dialHTTP2()
	c.get(1, "/")
	c.awaitEnd(1)
	h.memory.Store(930)
	h.front.ladder.look(1000)
	c.get(3, "/")
	c.awaitGoAway()
}

func TestFront_AnswersTheACMEChallengeOnTheTopOfTheLadder(t *testing.T) {
	cfg := basicConfig()
	cfg.Limits.Memory = config.Size(1000)
	h := newHouse(t, cfg, hello)
	h.memory.Store(999)
	h.front.ladder.look(1000)
	if status, body := get(t, h.client(false), "http://"+h.http()+"/.well-known/acme-challenge/token"); status != http.StatusOK || body != "key" {
		t.Errorf("got %d %q, want the key: memory must never block a renewal", status, body)
	}
}

func TestLimitOf(t *testing.T) {
	tests := []struct {
		name, membership string
		files            map[string]string
		want             int64
	}{
		{"version 2, a limit", "0::/system.slice/evergate.service\n", map[string]string{"/sys/fs/cgroup/system.slice/evergate.service/memory.max": "536870912\n"}, 536870912},
		{"version 2, no limit", "0::/a\n", map[string]string{"/sys/fs/cgroup/a/memory.max": "max\n"}, 0},
		{"version 2, a group above is narrower", "0::/a/b\n", map[string]string{"/sys/fs/cgroup/a/memory.max": "100\n", "/sys/fs/cgroup/a/b/memory.max": "200\n"}, 100},
		{"version 2 in a container", "0::/\n", map[string]string{"/sys/fs/cgroup/memory.max": "100\n"}, 100},
		{"version 1, a limit", "5:cpu,memory:/docker/x\n2:cpu:/y\n", map[string]string{"/sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes": "100\n"}, 100},
		{"version 1, no limit", "5:memory:/\n", map[string]string{"/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}, 0},
		{"nonsense", "x\n::\n0::\n5:memory:../..\n", map[string]string{"/sys/fs/cgroup/memory.max": "many"}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := limitOf(tt.membership, func(name string) string { return tt.files[name] }); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
}

func FuzzLimitOf(f *testing.F) {
	f.Add("0::/a/b\n", "100")
	f.Add("5:cpu,memory:/x\n0::../..//\n", "max")
	f.Fuzz(func(t *testing.T, membership, text string) {
		if got := limitOf(membership, func(string) string { return text }); got < 0 {
			t.Errorf("a limit of %d", got)
		}
	})
}
