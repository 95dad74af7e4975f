package server

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReload_BringsTheFileIntoUse(t *testing.T) {
	dir := newDir(t)
	d := open(t, dir, minimal(backend(t, "old").URL, ""))
	write(t, dir, minimal(backend(t, "new").URL, ""))
	result := d.server.Reload("test")
	if !result.OK || len(result.Problems) != 0 {
		t.Fatalf("the reload: %+v", result)
	}
	if _, body := get(t, d.addr.HTTP[0], "/", ""); body != "new" {
		t.Errorf("the door answered %q", body)
	}
	if _, body := get(t, d.addr.Admin, "/metrics", ""); !strings.Contains(body, `evergate_reloads_total{result="ok"} 1`) {
		t.Error("the reload was not counted")
	}
}

func TestReload_KeepsTheOldConfiguration(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	good := minimal(backend(t, "old").URL, "")
	tests := []struct {
		name string
		text string
		want []string // in the problems
	}{
		{"when the file is no YAML", "sites: [", []string{"evergate.yaml"}},
		{"with all problems of a bad file",
			"listn: {}\nsites:\n  - hosts: [a.example]\n    routes:\n      - {path: /*, origin: gone}\n",
			[]string{"evergate.yaml:1", "listn", "evergate.yaml:5", "gone"}},
		{"when a certificate is not there",
			strings.Replace(good, "origins:", "tls: {files: [{cert: no.pem, key: no.key}]}\norigins:", 1),
			[]string{"no.pem"}},
		{"when a listener cannot be opened",
			strings.Replace(good, `http: "127.0.0.1:0"`, `http: ["127.0.0.1:0", "192.0.2.1:1"]`, 1),
			[]string{"192.0.2.1", "no interface"}},
		{"when the admin listener cannot be opened",
			strings.Replace(good, `admin: "127.0.0.1:0"`, `admin: "`+taken.Addr().String()+`"`, 1),
			[]string{"listen.admin", "another program"}},
		{"when the data_dir would change",
			strings.Replace(good, "data_dir: data", "data_dir: other", 1),
			[]string{"node.data_dir", "restart"}},
		{"when the access log cannot be opened",
			strings.Replace(good, "file: access.log", "file: no/folder/access.log", 1),
			[]string{"access.log"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := newDir(t)
			d := open(t, dir, good)
			write(t, dir, tt.text)
			result := d.server.Reload("test")
			if result.OK {
				t.Fatalf("the reload took place: %+v", result)
			}
			for _, want := range tt.want {
				if !strings.Contains(strings.Join(result.Problems, "\n"), want) {
					t.Errorf("the problems lack %q:\n%s", want, strings.Join(result.Problems, "\n"))
				}
				if !strings.Contains(d.log.String(), want) {
					t.Errorf("the log lacks %q", want)
				}
			}
			if status, body := get(t, d.addr.HTTP[0], "/", ""); status != 200 || body != "old" {
				t.Errorf("the door answered %d %q", status, body)
			}
			if _, body := get(t, d.addr.Admin, "/metrics", ""); !strings.Contains(body, `evergate_reloads_total{result="kept"} 1`) ||
				!strings.Contains(body, "evergate_config_last_reload_successful 0") {
				t.Error("the refused reload was not counted")
			}
			write(t, dir, good)
			if result := d.server.Reload("test"); !result.OK {
				t.Errorf("the good file again: %+v", result)
			}
		})
	}
}

func TestReload_OpensAndClosesListeners(t *testing.T) {
	dir := newDir(t)
	origin := backend(t, "x").URL
	d := open(t, dir, minimal(origin, ""))
	write(t, dir, strings.Replace(minimal(origin, ""), `http: "127.0.0.1:0"`, `http: "127.0.0.2:0"`, 1))
	result := d.server.Reload("test")
	if !result.OK || !strings.Contains(strings.Join(result.Changes, "\n"), "opened http 127.0.0.2:") || !strings.Contains(strings.Join(result.Changes, "\n"), "closed http 127.0.0.1:") {
		t.Fatalf("the reload: %+v", result)
	}
	now, _ := d.server.front.Addresses()
	if status, _ := get(t, now[0], "/", ""); status != 200 {
		t.Errorf("the new listener answered %d", status)
	}
}

func TestReload_ReopensTheAccessLog(t *testing.T) {
	dir := newDir(t)
	text := minimal(backend(t, "x").URL, "")
	d := open(t, dir, text)
	log := filepath.Join(dir, "access.log")

	get(t, d.addr.HTTP[0], "/first", "")
	waitFor(t, "the first line", func() bool { return hasText(log, "/first") })
	if err := os.Rename(log, log+".1"); err != nil {
		t.Fatal(err)
	}
	if result := d.server.Reload("test"); !result.OK {
		t.Fatal(result)
	}
	get(t, d.addr.HTTP[0], "/second", "")
	waitFor(t, "the line after a rotation", func() bool { return hasText(log, "/second") })

	write(t, dir, strings.Replace(text, "file: access.log", "file: other.log", 1))
	if result := d.server.Reload("test"); !result.OK {
		t.Fatal(result)
	}
	get(t, d.addr.HTTP[0], "/third", "")
	waitFor(t, "the line in the other file", func() bool { return hasText(filepath.Join(dir, "other.log"), "/third") })
	d.stop()
	if hasText(log, "/third") {
		t.Error("the line is in both files")
	}
}

func TestReload_OfARefusedStopDoesNothing(t *testing.T) {
	d := open(t, newDir(t), minimal(backend(t, "x").URL, ""))
	d.stop()
	if result := d.server.Reload("test"); result.OK {
		t.Error("a server that has stopped said that it reloaded")
	}
}

func hasText(path, text string) bool {
	content, err := os.ReadFile(path)
	return err == nil && strings.Contains(string(content), text)
}
