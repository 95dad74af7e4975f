package levers

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/cluster/setting"
	"github.com/evergate/evergate/internal/config"
)

// shop is a file with two origins and two sites.
const shop = `
node: {data_dir: /var/lib/evergate}
listen: {http: ":80"}
log: {level: warn}
origins:
  booking:
    servers: ["http://10.0.0.11:8080", {url: "http://App.test", weight: 3}, "unix:/run/App.sock"]
    max_in_flight: 200
  notes:
    servers: [{url: "https://[2001:db8::1]", state: drain}, "http://[2001:db8::1]:443"]
    retry: {attempts: 2, budget: {percent: 10}}
    paused: true
sites:
  - {hosts: [book.test, www.book.test], routes: [{path: /*, origin: booking}, {path: /api/*, origin: booking, retry: {attempts: 5}}]}
  - {hosts: ["*.notes.test"], maintenance: true, routes: [{path: /*, origin: notes}]}
`

func load(tb testing.TB, yaml string) *config.Config {
	tb.Helper()
	file := filepath.Join(tb.TempDir(), "evergate.yaml")
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		tb.Fatal(err)
	}
	cfg, _, err := config.Load(file)
	if err != nil {
		tb.Fatal(err)
	}
	return cfg
}

// turned is a lever that anna turned, minute minutes after seven.
func turned(key, value string, minute int) setting.Version {
	v := setting.Version{
		Key: key, Number: 1, Actor: "anna", Reason: "too many bookings",
		At: time.Date(2026, 11, 25, 7, minute, 0, 0, time.UTC),
	}
	if value != "" {
		v.Value = json.RawMessage(value)
	}
	return v
}

// tagOf is the field of the configuration for the path of a lever.
func tagOf(pattern string) (reflect.StructField, error) {
	at := reflect.TypeFor[config.Config]()
	var field reflect.StructField
	for part := range strings.SplitSeq(regexp.MustCompile(`\[[A-Z]+\]`).ReplaceAllString(pattern, ".EACH"), ".") {
		for at.Kind() == reflect.Pointer {
			at = at.Elem()
		}
		if strings.ToUpper(part) == part {
			at = at.Elem() // of the map or list
			continue
		}
		found := false
		for i := range at.NumField() {
			if name, _, _ := strings.Cut(at.Field(i).Tag.Get("yaml"), ","); name == part {
				field, found = at.Field(i), true
				break
			}
		}
		if !found {
			return field, fmt.Errorf("%s has no key %s", at, part)
		}
		at = field.Type
	}
	if short := field.Tag.Get("short"); short != "" { // a plain value stands for this key of it
		return tagOf(pattern + "." + short)
	}
	return field, nil
}

func TestAll_AreWhatTheConfigurationSays(t *testing.T) {
	for _, l := range all {
		t.Run(l.Pattern, func(t *testing.T) {
			field, err := tagOf(l.Pattern)
			if err != nil {
				t.Fatal(err)
			}
			kind := map[reflect.Kind]setting.Kind{reflect.Bool: setting.Boolean, reflect.Int: setting.Integer, reflect.String: setting.Word}[field.Type.Kind()]
			if l.Unit == "%" {
				kind = setting.Percent
			}
			if l.Kind != kind {
				t.Errorf("kind %s, want %s", l.Kind, kind)
			}
			if words := strings.Join(l.Words, "|"); words != field.Tag.Get("enum") {
				t.Errorf("words %s, want %s", words, field.Tag.Get("enum"))
			}
			bound := func(tag string, without int64) int64 {
				if n, err := strconv.ParseInt(field.Tag.Get(tag), 10, 64); err == nil {
					return n
				}
				return without
			}
			if kind == setting.Integer || kind == setting.Percent {
				if least, most := bound("min", 0), bound("max", unbounded); l.Min != least || l.Max != most {
					t.Errorf("%d to %d, want %d to %d", l.Min, l.Max, least, most)
				}
			}
			if got := fmt.Sprint(l.Default); got != field.Tag.Get("default") {
				t.Errorf("default %s, want %s", got, field.Tag.Get("default"))
			}
			value, err := json.Marshal(l.Default)
			if err != nil || l.Check(value) != nil {
				t.Errorf("its own default will not do: %v, %v", err, l.Check(value))
			}
			if l.Doc == "" || !strings.HasSuffix(l.Doc, ".") {
				t.Errorf("doc %q", l.Doc)
			}
		})
	}
}

func TestAll_AreThoseOfTheDesign(t *testing.T) {
	want := []string{
		"origins.NAME.paused", "origins.NAME.max_in_flight", "origins.NAME.retry.attempts", "origins.NAME.retry.budget.percent",
		"origins.NAME.servers[ADDR].state", "origins.NAME.servers[ADDR].weight", "sites[HOST].maintenance", "log.level",
	}
	var got []string
	for _, l := range Registry().Levers() {
		got = append(got, l.Pattern)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
