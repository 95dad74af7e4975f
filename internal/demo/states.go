package demo

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strings"
)

var stateLine = regexp.MustCompile(`^evergate_server_state\{origin="[^"]*",server="([^"]*)",state="([^"]*)"\} 1$`)

// serverStates asks the door's metrics which state each server is in, by address.
func serverStates(ctx context.Context, web *http.Client, admin string) (map[string]string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+admin+"/metrics", nil)
	if err != nil {
		return nil, fmt.Errorf("ask for the door's metrics: %w", err)
	}
	resp, err := web.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask for the door's metrics: %w", err)
	}
	defer resp.Body.Close()
	states := map[string]string{}
	scan := bufio.NewScanner(resp.Body)
	for scan.Scan() {
		if m := stateLine.FindStringSubmatch(scan.Text()); m != nil {
			states[strings.TrimPrefix(m[1], "http://")] = m[2]
		}
	}
	if err := scan.Err(); err != nil {
		return nil, fmt.Errorf("read the door's metrics: %w", err)
	}
	return states, nil
}
