package levers

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/evergate/evergate/internal/cluster/setting"
	"github.com/evergate/evergate/internal/config"
)

func TestOverlay_PutsEachLeverInItsPlace(t *testing.T) {
	file, untouched := load(t, shop), load(t, shop)
	cfg := Overlay(file, []setting.Version{
		turned("origins.booking.paused", "true", 0),
		turned("origins.booking.max_in_flight", "100", 0),
		turned("origins.booking.retry.attempts", "1", 0),
		turned("origins.booking.retry.budget.percent", "5", 0),
		turned("origins.booking.servers[app.test:80].weight", "7", 0),
		turned("origins.booking.servers[unix:/run/App.sock].state", `"maint"`, 0),
		turned("origins.notes.servers[[2001:db8::1]:443].state", `"up"`, 0),
		turned("sites[book.test].maintenance", "true", 0),
		turned("log.level", `"debug"`, 0),
	})
	b, n := cfg.Origins["booking"], cfg.Origins["notes"]
	if !b.Paused || b.MaxInFlight.Origin != 100 || b.Retry.Attempts != 1 || b.Retry.Budget.Percent != 5 ||
		b.Servers[1].Weight != 7 || b.Servers[2].State != "maint" || !cfg.Sites[0].Maintenance || cfg.Log.Level != "debug" {
		t.Errorf("%+v\n%+v\n%+v", b, cfg.Sites[0], cfg.Log)
	}
	if n.Servers[0].State != "up" || n.Servers[1].State != "up" {
		t.Error("one address with and without TLS: both are of that name")
	}
	if n.Retry.Attempts != 2 || !n.Paused || !cfg.Sites[1].Maintenance {
		t.Error("levers that nobody turned do not say what the file says")
	}
	api := cfg.Sites[0].Routes[1]
	if got := cfg.RetryFor(api).Attempts; got != 5 {
		t.Errorf("%d attempts on a route with a number of its own", got)
	}
	for i, s := range Instances(file) {
		if was := Instances(untouched)[i]; s.Name != was.Name || string(s.File) != string(was.File) {
			t.Errorf("the file itself was changed: %s is %s", s.Name, s.File)
		}
	}
}

func TestOverlay_LeavesAlone(t *testing.T) {
	tests := []struct {
		name    string
		current []setting.Version
	}{
		{"what was reset", []setting.Version{turned("origins.booking.paused", "", 0)}},
		{"origins, servers and sites that the file does not have", []setting.Version{
			turned("origins.gone.paused", "true", 0), turned("origins.booking.servers[10.9.9.9:80].state", `"drain"`, 0),
			turned("sites[gone.test].maintenance", "true", 0),
		}},
		{"settings that are no levers", []setting.Version{turned("tokens[abc]", `{"name": "x"}`, 0)}},
		{"values that will not do", []setting.Version{
			turned("log.level", `"loud"`, 0), turned("origins.booking.retry.attempts", "99", 0), turned("origins.booking.paused", "3", 0),
		}},
		{"a value that was set and then reset", []setting.Version{
			turned("log.level", `"debug"`, 0), turned("log.level", "", 0),
		}},
	}
	file := load(t, shop)
	want := values(file)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := values(Overlay(file, tt.current)); !reflect.DeepEqual(got, want) {
				t.Errorf("%v, want %v", got, want)
			}
		})
	}
}

// values are all levers of a configuration.
func values(c *config.Config) map[string]string {
	all := make(map[string]string)
	for _, i := range Instances(c) {
		all[i.Name] = string(i.File)
	}
	return all
}

func TestOverlay_OfASiteWhoseFirstHostChanged(t *testing.T) {
	file := load(t, `
listen: {http: ":80"}
origins: {booking: {servers: ["http://10.0.0.11:8080"]}}
sites: [{hosts: [www.book.test, book.test], routes: [{path: /*, origin: booking}]}]
`)
	old, fresh := "sites[book.test].maintenance", "sites[www.book.test].maintenance"
	for _, tt := range []struct {
		name    string
		current []setting.Version
		want    bool
	}{
		{"it holds under the new name", []setting.Version{turned(old, "true", 0)}, true},
		{"the last one to be turned counts", []setting.Version{turned(fresh, "false", 5), turned(old, "true", 0)}, false},
		{"in whatever order they come", []setting.Version{turned(old, "true", 0), turned(fresh, "false", 5)}, false},
		{"a reset too", []setting.Version{turned(fresh, "", 5), turned(old, "true", 0)}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := Overlay(file, tt.current).Sites[0].Maintenance; got != tt.want {
				t.Errorf("maintenance %t, want %t", got, tt.want)
			}
		})
	}
}

func FuzzOverlay(f *testing.F) {
	f.Add("origins.booking.max_in_flight", "100")
	f.Add("origins.booking.servers[http://[::1].state", `"drain"`)
	f.Add("sites[].maintenance", "true")
	file := load(f, shop)
	f.Fuzz(func(t *testing.T, key, value string) {
		v := setting.Version{Key: key, Value: json.RawMessage(value)}
		cfg := Overlay(file, []setting.Version{v})
		Differences(file, cfg, []setting.Version{v})
		i, err := Find(file, key)
		if err != nil || i.Lever.Check(v.Value) != nil {
			return
		}
		l, got := i.Lever, json.RawMessage(values(cfg)[i.Name])
		if l.Bool(got) != l.Bool(v.Value) || l.Int(got) != l.Int(v.Value) || l.Word(got) != l.Word(v.Value) {
			t.Errorf("%s is %s after it was set to %s", i.Name, got, value)
		}
	})
}
