package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestReport(t *testing.T) {
	skipNginx := []event{
		{"output", "p", "TestNginx", "    peer_test.go:7: needs nginx (apt-get install nginx)\n"},
		{"skip", "p", "TestNginx", ""},
		{"output", "p", "", "ok  \tp\t0.01s\n"},
		{"pass", "p", "", ""},
	}
	passOne := []event{{"output", "p", "TestA", "noise\n"}, {"pass", "p", "TestA", ""}}
	tests := []struct {
		name       string
		events     []event
		requireAll bool
		wantOK     bool
		want, not  []string
	}{
		{"a passed test leaves only the package's line",
			append(passOne, event{"output", "p", "", "ok  \tp\t0.01s\n"}, event{"pass", "p", "", ""}), false, true,
			[]string{"ok  \tp\t0.01s", "1 passed, 0 failed, 0 skipped"}, []string{"noise"}},
		{"a failed test is shown and named",
			append(passOne, event{"output", "p", "TestB", "b went wrong\n"}, event{"fail", "p", "TestB", ""}, event{"output", "p", "", "FAIL\tp\t0.01s\n"}, event{"fail", "p", "", ""}), false, false,
			[]string{"b went wrong", "FAIL\tp", "FAILED p TestB", "1 passed, 1 failed"}, []string{"noise"}},
		{"a test for which a part is missing is named with its reason",
			append(passOne, skipNginx...), false, true,
			[]string{"p TestNginx: needs nginx (apt-get install nginx)", "1 skipped"}, nil},
		{"a missing part is a failure when all are required",
			append(passOne, skipNginx...), true, false,
			[]string{"a missing part is a failure"}, nil},
		{"another reason to skip is no missing part",
			append(passOne, event{"output", "p", "TestSlow", "    a_test.go:3: not with -short\n"}, event{"skip", "p", "TestSlow", ""}), true, true,
			[]string{"skipped for other reasons", "p TestSlow: not with -short"}, nil},
		{"a package that died shows what its tests had said",
			append(passOne, event{"output", "p", "TestC", "panic: c\n"}, event{"fail", "p", "", ""}), false, false,
			[]string{"panic: c", "FAILED p"}, nil},
		{"the compiler's words are shown",
			append(passOne, event{Action: "build-output", Output: "p.go:1: no\n"}), false, true,
			[]string{"p.go:1: no"}, nil},
		{"no tests at all is not a success", nil, false, false, []string{"0 passed"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var in, out bytes.Buffer
			for _, e := range tt.events {
				line, err := json.Marshal(e)
				if err != nil {
					t.Fatal(err)
				}
				in.Write(append(line, '\n'))
			}
			r := newReport(&out)
			r.read(&in)
			if ok := r.summary(time.Second, tt.requireAll); ok != tt.wantOK {
				t.Errorf("summary said %t, want %t", ok, tt.wantOK)
			}
			for _, s := range tt.want {
				if !strings.Contains(out.String(), s) {
					t.Errorf("report lacks %q:\n%s", s, &out)
				}
			}
			for _, s := range tt.not {
				if strings.Contains(out.String(), s) {
					t.Errorf("report has %q:\n%s", s, &out)
				}
			}
		})
	}
}

func TestReport_TextThatIsNoEventIsShownAsItIs(t *testing.T) {
	var out bytes.Buffer
	newReport(&out).read(strings.NewReader("go: downloading something\n"))
	if out.String() != "go: downloading something\n" {
		t.Errorf("got %q", &out)
	}
}
