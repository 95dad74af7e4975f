package hospital

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// entry is what this test reads of a line of the access log.
type entry struct {
	ID       string    `json:"id"`
	Method   string    `json:"method"`
	Status   int       `json:"status"`
	Abort    string    `json:"abort"`
	Denied   string    `json:"retry_denied"`
	Attempts []attempt `json:"attempts"`
}

type attempt struct {
	Server  string  `json:"server"`
	Millis  float64 `json:"ms"`
	Class   int     `json:"class"`
	Outcome string  `json:"outcome"`
	Status  int     `json:"status"`
	Retried bool    `json:"retried"`
}

// address is the server's as the ledger has it.
func (a *attempt) address() string { return strings.TrimPrefix(a.Server, "http://") }

// failed reports whether the client did not get what it asked for.
func (e *entry) failed() bool { return e.Status >= 400 || e.Abort != "" }

// readLog returns the entries of the access log in the order of its lines.
func readLog(path string) ([]entry, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var entries []entry
	scan := bufio.NewScanner(file)
	scan.Buffer(nil, 1<<20)
	for scan.Scan() {
		var e entry
		if err := json.Unmarshal(scan.Bytes(), &e); err != nil {
			return nil, fmt.Errorf("access log line %q: %w", scan.Text(), err)
		}
		entries = append(entries, e)
	}
	return entries, scan.Err()
}
