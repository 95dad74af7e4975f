package view

import (
	"testing"

	"github.com/evergate/evergate/internal/config"
	"github.com/evergate/evergate/internal/edge/proxy/origin"
)

func TestOrigins_ShowWhatOperatorsWantBesideWhatIs(t *testing.T) {
	cfg := &config.Config{Origins: map[string]*config.Origin{
		"b": {Servers: []*config.Server{{URL: "http://10.0.0.1:80", State: "drain"}, {URL: "unix:/run/app.sock", State: "up"}}},
		"a": {},
	}}
	got := Origins(cfg, []origin.Snapshot{
		{Name: "b", Servers: []origin.ServerSnapshot{
			{Name: "10.0.0.1:80", Configured: "10.0.0.1:80", State: origin.Draining},
			{Name: "unix:/run/app.sock", Configured: "unix:/run/app.sock", State: origin.Up},
			{Name: "10.0.0.9:80", Configured: "10.0.0.9:80", State: origin.Draining, Leaving: true},
		}},
		{Name: "a"},
		{Name: "of another configuration"},
	})
	if len(got) != 2 || got[0].Name != "a" || got[1].Name != "b" {
		t.Fatalf("got %+v, want a and b", got)
	}
	for i, want := range []struct{ state, health string }{{"drain", "draining"}, {"up", "up"}, {"drain", "draining"}} {
		if s := got[1].Servers[i]; s.State != want.state || s.Health != want.health {
			t.Errorf("server %d is %s and %s, want %s and %s", i, s.State, s.Health, want.state, want.health)
		}
	}
}

func TestSites_SayWhatEachRouteDoes(t *testing.T) {
	cfg := &config.Config{Sites: []*config.Site{{Hosts: []string{"a.example"}, Maintenance: true, Routes: []*config.Route{
		{Path: "/api/*", Methods: []string{"GET", "HEAD"}, Origin: "app"},
		{Path: "/old", Redirect: &config.Redirect{To: "/new", Status: 308}},
		{Path: "/ok", Respond: &config.Respond{Status: 200}},
	}}}}
	got := Sites(cfg)
	if len(got) != 1 || !got[0].Maintenance || len(got[0].Routes) != 3 {
		t.Fatalf("got %+v", got)
	}
	for i, want := range []struct{ match, origin, action string }{
		{"GET,HEAD /api/*", "app", ""}, {"/old", "", "redirects (308) to /new"}, {"/ok", "", "answers 200"},
	} {
		if r := got[0].Routes[i]; r.Match != want.match || r.Origin != want.origin || r.Action != want.action {
			t.Errorf("route %d: %+v, want %+v", i, r, want)
		}
	}
}
