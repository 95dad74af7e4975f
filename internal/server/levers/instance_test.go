package levers

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/evergate/evergate/internal/cluster/setting"
)

func TestInstances_AreTheLeversOfAFileWithItsValues(t *testing.T) {
	want := []string{
		"log.level warn",
		"origins.booking.max_in_flight 200", "origins.booking.paused false", "origins.booking.retry.attempts 3",
		"origins.booking.retry.budget.percent 20",
		"origins.booking.servers[10.0.0.11:8080].state up", "origins.booking.servers[10.0.0.11:8080].weight 1",
		"origins.booking.servers[app.test:80].state up", "origins.booking.servers[app.test:80].weight 3",
		"origins.booking.servers[unix:/run/App.sock].state up", "origins.booking.servers[unix:/run/App.sock].weight 1",
		"origins.notes.max_in_flight 0", "origins.notes.paused true", "origins.notes.retry.attempts 2", "origins.notes.retry.budget.percent 10",
		"origins.notes.servers[[2001:db8::1]:443].state drain", "origins.notes.servers[[2001:db8::1]:443].weight 1",
		"sites[*.notes.test].maintenance true", "sites[book.test].maintenance false",
	}
	file := load(t, shop)
	var got []string
	for _, i := range Instances(file) {
		got = append(got, i.Name+" "+shown(i.File))
		if again, err := Find(file, i.Name); err != nil || !slices.Equal(again.args, i.args) || string(again.File) != string(i.File) {
			t.Errorf("%s is not found by its own name: %+v, %v", i.Name, again, err)
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestFind(t *testing.T) {
	file := load(t, shop)
	tests := []struct{ name, as, fails string }{
		{"sites[www.book.test].maintenance", "sites[book.test].maintenance", ""},
		{"sites[WWW.Book.test].maintenance", "sites[book.test].maintenance", ""},
		{"sites[*.notes.test].maintenance", "sites[*.notes.test].maintenance", ""},
		{"origins.booking.servers[http://10.0.0.11:8080].state", "origins.booking.servers[10.0.0.11:8080].state", ""},
		{"origins.booking.servers[http://App.test].weight", "origins.booking.servers[app.test:80].weight", ""},
		{"origins.booking.servers[app.test].weight", "origins.booking.servers[app.test:80].weight", ""},
		{"origins.booking.servers[unix:/run/App.sock].state", "origins.booking.servers[unix:/run/App.sock].state", ""},
		{"origins.notes.servers[[2001:db8::1]].state", "origins.notes.servers[[2001:db8::1]:443].state", ""},
		{"log.level", "log.level", ""},

		{"origins.booking.servers[unix:/run/app.sock].state", "", "no such server"},
		{"origins.booking.servers[10.0.0.11].state", "", "no such server"},
		{"origins.nobody.servers[10.0.0.11:8080].state", "", "no such server"},
		{"origins.nobody.paused", "", "no such origin"},
		{"sites[shop.notes.test].maintenance", "", "no such site"},
		{"origins.booking.queue.timeout", "", "no setting"},
		{"", "", "no setting"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			i, err := Find(file, tt.name)
			if tt.fails == "" {
				if err != nil || i.Name != tt.as {
					t.Errorf("%s, %v, want %s", i.Name, err, tt.as)
				}
				return
			}
			var unknown *setting.UnknownKeyError
			if !errors.As(err, &unknown) || !strings.Contains(err.Error(), tt.fails) {
				t.Errorf("%v, want %q", err, tt.fails)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	file := load(t, shop)
	tests := []struct {
		name, value string
		good        bool
	}{
		{"origins.booking.max_in_flight", "100", true},
		{"origins.booking.max_in_flight", "", true}, // a reset
		{"origins.booking.max_in_flight", "-1", false},
		{"origins.booking.max_in_flight", "1.5", false},
		{"origins.booking.retry.attempts", "0", false},
		{"origins.booking.retry.budget.percent", "101", false},
		{"origins.booking.servers[app.test:80].state", `"maint"`, true},
		{"origins.booking.servers[app.test:80].state", `"down"`, false},
		{"origins.booking.servers[app.test:80].weight", "0", false},
		{"sites[book.test].maintenance", `"true"`, false},
	}
	for _, tt := range tests {
		var value json.RawMessage
		if tt.value != "" {
			value = json.RawMessage(tt.value)
		}
		err := Check(file, tt.name, value)
		var bad *setting.ValueError
		if tt.good != (err == nil) || err != nil && !errors.As(err, &bad) {
			t.Errorf("%s %s: %v", tt.name, tt.value, err)
		}
	}
}
