package cli

import (
	"encoding/json"
	"time"

	"github.com/evergate/evergate/internal/admin/api"
	"github.com/evergate/evergate/internal/admin/token"
)

func before(d time.Duration) time.Time { return then.Add(-d) }

func raw(text string) json.RawMessage { return json.RawMessage(text) }

func pointer(f float64) *float64 { return &f }

// sampleLevers are levers of every type, set and not set.
func sampleLevers() []api.Lever {
	return []api.Lever{
		{Name: "log.level", Type: "word", Words: []string{"debug", "info", "warn", "error"}, Doc: "Least severity that is logged.", Value: raw(`"info"`), File: raw(`"info"`)},
		{Name: "origins.booking.max_in_flight", Type: "integer", Min: pointer(0), Max: pointer(1e6), Unit: "requests", Doc: "Requests under way at the whole origin. 0: no bound.",
			Value: raw("100"), File: raw("500"), Set: true, Version: 4, Actor: "alice", Reason: "database is slow", Since: before(3 * time.Minute), Reverts: then.Add(12 * time.Minute)},
		{Name: "origins.booking.paused", Type: "boolean", Doc: "All requests wait in the queue.", Value: raw("false"), File: raw("false"),
			Version: 2, Actor: "bob", Reason: "moved", Since: before(50 * time.Hour)},
		{Name: "origins.booking.retry.budget.percent", Type: "percent", Min: pointer(0), Max: pointer(100), Doc: "Retries allowed.", Value: raw("20"), File: raw("20")},
		{Name: "origins.booking.servers[10.0.0.12:8080].state", Type: "word", Words: []string{"up", "drain", "maint"}, Doc: "What the server gets.",
			Value: raw(`"drain"`), File: raw(`"up"`), Set: true, Version: 1, Actor: "alice (token 4k9x2m7qra)", Reason: "kernel update, see ticket 4711 for the whole story of it", Since: before(26 * time.Hour), Provisional: true},
	}
}

func sampleOrigins() api.OriginList {
	return api.OriginList{At: then, Origins: []api.Origin{
		{Name: "booking", Balance: "least_requests", InFlight: 37, MaxInFlight: 100, Queue: api.Queue{Depth: 12, Oldest: 1.234}, Servers: []api.Server{
			{Address: "10.0.0.11:8080", Configured: "10.0.0.11:8080", State: "up", Health: "up", Reason: "2 checks passed", Since: before(70 * time.Hour), Weight: 1, Share: 1, InFlight: 30, MaxInFlight: 200},
			{Address: "10.0.0.12:8080", Configured: "10.0.0.12:8080", State: "drain", Health: "draining", Reason: "by alice", Since: before(26 * time.Hour), Weight: 1, InFlight: 7, MaxInFlight: 200},
			{Address: "10.0.0.13:8080", Configured: "app.internal:8080", State: "up", Health: "ejected", Reason: "5 failures in a row", Since: before(3 * time.Minute), Weight: 2, MaxInFlight: 200,
				LastError: "connection refused", LastErrorAt: before(12 * time.Second)},
			{Address: "10.0.0.14:8080", Configured: "10.0.0.14:8080", State: "up", Health: "ramping", Since: before(4 * time.Second), Weight: 1, Share: 0.4, Backup: true, MaxInFlight: 80},
		}, Unresolved: []api.Unresolved{{Host: "app.internal", Error: "lookup app.internal: i/o timeout", Kept: 1}}},
		{Name: "pay", Balance: "round_robin", Paused: true, Servers: []api.Server{
			{Address: "unix:/run/pay.sock", Configured: "unix:/run/pay.sock", State: "up", Health: "up", Since: before(70 * time.Hour), Weight: 1, Share: 1}}},
	}}
}

// calm is the status of a node on which all is well.
func calm() api.Status {
	return api.Status{
		At: then, Node: "door-1", Version: "v1.3.0", Commit: "30c2e95f0c1d2e3f", Go: "go1.26.0", PID: 4711, Started: before(70 * time.Hour), Uptime: (70 * time.Hour).Seconds(),
		Phase: api.Serving, Config: "/etc/evergate/evergate.yaml", Loaded: before(2 * time.Hour),
		Store: api.Store{Kind: "sqlite", Local: true, Since: before(70 * time.Hour)}, Settings: api.Settings{Rev: 42},
		Conditions: []api.Condition{{Name: "store", Severity: api.OK, Summary: "The store takes changes."}},
		Figures:    api.Figures{At: then, Requests: 1240.4, Errors: 0, Retries: 3.25, InFlight: 37, Queued: 12, Connections: 4021},
	}
}

// trouble is the status of a node with much to say.
func trouble() api.Status {
	s := calm()
	s.Store = api.Store{Kind: "postgres", Lost: true, Error: "connection refused", Advice: "Start it.", Since: before(3 * time.Minute)}
	s.Settings = api.Settings{Rev: 42, Journal: 1, Due: 1, Skipped: 1}
	s.Conditions = []api.Condition{
		{Name: "store", Severity: api.Failing, Since: before(3 * time.Minute), Summary: "The store does not answer: connection refused.",
			Detail: "Requests go on. Changes are kept on this node and go into the store when it is back. Start PostgreSQL on db-1, or see why this node cannot reach it."},
		{Name: "origin booking", Severity: api.Warning, Since: before(12 * time.Second), Summary: "1 of 4 servers is out.", Detail: "Look at it: evergate origins."},
		{Name: "certificates", Severity: api.OK, Summary: "All certificates are good."},
	}
	for _, l := range sampleLevers() {
		if l.Set {
			s.Overrides = append(s.Overrides, l)
		}
	}
	return s
}

func sampleDues() api.DueList {
	return api.DueList{At: then, Due: []api.Due{
		{ID: "0197a3c2-5f1e-7b90-8a51-3c2d9e4f1a07", Lever: "origins.booking.paused", Kind: "revert", At: before(time.Minute), Value: raw("null"), Actor: "bob", Reason: "moving", Created: before(time.Hour), State: "pending"},
		{ID: "0197a3c2-5f1e-7b90-8a51-3c2d9e4f1a08", Lever: "sites[shop.example.org].maintenance", Kind: "change", At: then.Add(12 * time.Minute), Value: raw("true"), Actor: "alice", Reason: "release 42", Created: before(3 * time.Minute), State: "pending"},
		{ID: "0197a3c2-5f1e-7b90-8a51-3c2d9e4f1a09", Lever: "log.level", Kind: "revert", At: before(time.Hour), Value: raw(`"info"`), Actor: "alice", Reason: "looking", Created: before(2 * time.Hour), State: "skipped", Settled: before(time.Hour), Note: "bob had changed it since"},
	}}
}

func sampleTokens() api.TokenList {
	return api.TokenList{At: then, Tokens: []token.Token{
		{ID: "4k9x2m7qra", Name: "deploy-pipeline", Role: token.Operator, Created: before(50 * time.Hour), By: "root", Expires: then.Add(88 * 24 * time.Hour)},
		{ID: "7h3n5p8wtb", Name: "monitoring", Role: token.Viewer, Created: before(400 * time.Hour), By: "alice"},
		{ID: "9z8y7x6wvc", Name: "old laptop", Role: token.Admin, Created: before(4000 * time.Hour), By: "root", Expires: before(30 * time.Hour)},
	}}
}

func sampleHistory() api.History {
	return api.History{At: then, Whole: false, Next: 3, Versions: []api.LeverVersion{
		{Lever: "origins.booking.max_in_flight", Value: raw("100"), Actor: "alice", Reason: "database is slow", Node: "door-1", At: before(3 * time.Minute), Provisional: true},
		{Lever: "origins.booking.max_in_flight", Number: 3, Value: raw("null"), Actor: "bob", Reason: "fine again", Node: "door-2", At: before(50 * time.Hour), Recorded: before(50 * time.Hour)},
	}}
}

func sampleSites() api.SiteList {
	return api.SiteList{At: then, Sites: []api.Site{
		{Hosts: []string{"book.example.org", "www.book.example.org"}, RedirectFrom: []string{"old.example.org"}, Routes: []api.Route{
			{Match: "/static/*", Origin: "booking"}, {Match: "GET,HEAD /old/*", Action: "redirect 301 to /new/*"}}},
		{Hosts: []string{"pay.example.org"}, Maintenance: true, Routes: []api.Route{{Match: "/*", Origin: "pay"}}},
	}}
}
