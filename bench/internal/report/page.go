package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// Page is all that a reader of the results needs.
type Page struct {
	Date     string            `json:"date"`
	Machine  Machine           `json:"machine"`
	Setting  string            `json:"setting"`  // rounds, durations, processors
	Versions map[string]string `json:"versions"` // of peers and tools, by name
	Missing  map[string]string `json:"missing"`  // peers that were not there: why
	Cases    []Case            `json:"cases"`
	Results  []Summary         `json:"results"`
}

// Case is a case and what it is in words.
type Case struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// Ours is the peer that the others are compared with.
const Ours = "evergate"

// budgets are the most that our CPU per request may be, in parts of a peer's.
var budgets = map[string]float64{"reverseproxy": 0.65, "caddy": 0.45}

// Markdown writes the page.
func (p Page) Markdown(w io.Writer) error {
	text := &strings.Builder{}
	fmt.Fprintf(text, "# Results of %s\n\nMade by `make bench`; [how to read them](../README.md).\n\n", p.Date)
	fmt.Fprintf(text, "- machine: %s\n- setting: %s\n", p.Machine, p.Setting)
	fmt.Fprintf(text, "- part of the machine that other programs took meanwhile: %s\n", p.others())
	for _, name := range sortedKeys(p.Versions) {
		fmt.Fprintf(text, "- %s: %s\n", name, p.Versions[name])
	}
	for _, name := range sortedKeys(p.Missing) {
		fmt.Fprintf(text, "- **%s is missing**: %s\n", name, p.Missing[name])
	}
	p.ratios(text)
	for _, c := range p.Cases {
		p.table(text, c)
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// others says how far the machine was not ours, by the medians of all cases.
func (p Page) others() string {
	low, top := 100.0, 0.0
	for _, s := range p.Results {
		if s.Rounds > 0 {
			low, top = min(low, s.Others), max(top, s.Others)
		}
	}
	if low > top {
		return "an unknown part"
	}
	text := fmt.Sprintf("%.0f to %.0f %%", low, top)
	if top > Busy {
		text += fmt.Sprintf(" (**doubtful**: more than %d %%)", Busy)
	}
	return text
}

// Busy is the percentage of the machine that other programs may take before the
// figures are doubtful.
const Busy = 10

// ratios writes our CPU per request in parts of each peer's.
func (p Page) ratios(w io.Writer) {
	var peers []string
	for _, s := range p.Results {
		if s.Peer != Ours && !slices.Contains(peers, s.Peer) {
			peers = append(peers, s.Peer)
		}
	}
	fmt.Fprintf(w, "\n## CPU per request of Evergate, in parts of the others'\n\n| case | %s |\n|---|%s\n",
		strings.Join(peers, " | "), strings.Repeat("---:|", len(peers)))
	for _, c := range p.Cases {
		fmt.Fprintf(w, "| %s |", c.Name)
		for _, peer := range peers {
			fmt.Fprintf(w, " %s |", p.ratio(c.Name, peer))
		}
		fmt.Fprintln(w)
	}
	var limits []string
	for _, peer := range peers {
		if budget, ok := budgets[peer]; ok {
			limits = append(limits, fmt.Sprintf("%.2f of %s", budget, peer))
		}
	}
	if len(limits) > 0 {
		fmt.Fprintf(w, "\nThe budget for a proxied request over HTTP/1.1 is %s; bold is over it.\n", strings.Join(limits, " and "))
	}
}

// ratio returns the cell of ratios, "-" where one of the two gave nothing.
func (p Page) ratio(name, peer string) string {
	ratio := p.find(name, peer).Ratio
	if ratio == 0 {
		return "-"
	}
	cell := fmt.Sprintf("%.2f", ratio)
	if budget, ok := budgets[peer]; ok && ratio > budget {
		cell = "**" + cell + "**"
	}
	return cell
}

func (p Page) find(name, peer string) Summary {
	for _, s := range p.Results {
		if s.Case == name && s.Peer == peer {
			return s
		}
	}
	return Summary{}
}

// table writes all figures of one case.
func (p Page) table(w io.Writer, c Case) {
	fmt.Fprintf(w, "\n## %s\n\n%s.\n\n", c.Name, c.Text)
	fmt.Fprintln(w, "| proxy | CPU per request, us (least-most) | requests/s | p50, ms | p99, ms | peak memory, MiB |")
	fmt.Fprintln(w, "|---|---:|---:|---:|---:|---:|")
	var notes []string
	for _, s := range p.Results {
		switch {
		case s.Case != c.Name:
		case s.Rounds == 0:
			fmt.Fprintf(w, "| %s | failed: %s | | | | |\n", s.Peer, strings.NewReplacer("|", "/", "\n", " ").Replace(s.Error))
		default:
			fmt.Fprintf(w, "| %s | %.1f (%.1f-%.1f) | %.0f | %.2f | %.2f | %.0f |\n", s.Peer, s.CPU, s.CPULow, s.CPUTop, s.PerSecond, s.P50, s.P99, s.Memory)
			if s.LogLost > 0 {
				notes = append(notes, fmt.Sprintf("The access log of %s lacks %d of the requests.", s.Peer, s.LogLost))
			}
		}
	}
	if len(notes) > 0 {
		fmt.Fprintf(w, "\n%s\n", strings.Join(notes, " "))
	}
}

func sortedKeys(m map[string]string) []string {
	var keys []string
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
