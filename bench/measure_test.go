package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/evergate/evergate/bench/internal/load"
)

func TestJudgeLog(t *testing.T) {
	tests := []struct {
		name            string
		lines, requests int
		lost            int
		fails           bool
	}{
		{"a line each", 1000, 1000, 0, false},
		{"requests under way at the end are logged too", 1000 + 2*load.Connections, 1000, 0, false},
		{"more lines than anybody asked", 1001 + 2*load.Connections, 1000, 0, true},
		{"a few lost are reported", 990, 1000, 10, false},
		{"many lost is no log", 989, 1000, 11, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			lost, err := judgeLog(tt.lines, tt.requests)
			if lost != tt.lost || (err != nil) != tt.fails {
				t.Errorf("judgeLog: %d, %v", lost, err)
			}
		})
	}
}

func TestCountLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	if n, err := countLines(path, "/a"); n != 0 || err != nil {
		t.Errorf("no file yet: %d, %v", n, err)
	}
	if err := os.WriteFile(path, []byte("GET /a 200\nstarted\nGET /a 200\nGET /a"), 0o644); err != nil {
		t.Fatal(err)
	}
	if n, err := countLines(path, "/a"); n != 3 || err != nil {
		t.Errorf("%d lines, %v", n, err)
	}
}
