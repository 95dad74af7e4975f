package chaos

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// entry is what this test reads of an access log line.
type entry struct {
	ID          string `json:"id"`
	Status      int    `json:"status"`
	RetryDenied string `json:"retry_denied"`
	Attempts    []struct {
		Server  string `json:"server"`
		Class   int    `json:"class"`
		Outcome string `json:"outcome"`
		Status  int    `json:"status"`
	} `json:"attempts"`
}

// readLog returns the entries of the access log by request id, and how many
// lines each id has.
func readLog(path string) (map[string]entry, map[string]int, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer file.Close()
	entries, lines := map[string]entry{}, map[string]int{}
	scan := bufio.NewScanner(file)
	scan.Buffer(nil, 1<<20)
	for scan.Scan() {
		var e entry
		if err := json.Unmarshal(scan.Bytes(), &e); err != nil {
			return nil, nil, fmt.Errorf("access log line %q: %w", scan.Text(), err)
		}
		entries[e.ID] = e
		lines[e.ID]++
	}
	return entries, lines, scan.Err()
}

// host is the address in a server's name as the log has it.
func host(server string) string { return strings.TrimPrefix(server, "http://") }
