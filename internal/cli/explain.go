package cli

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"strings"

	"github.com/spf13/cobra"

	"github.com/evergate/evergate/internal/server"
)

func newExplain() *cobra.Command {
	var file, output, client string
	var headers []string
	var question server.Question
	cmd := &cobra.Command{
		Use:   "explain URL",
		Short: "Say what a request would meet",
		Long: `Explain says which site, route, limits, header changes, origin and servers a
request would meet, what a server would get, and which of its failures would be
retried. The request goes through the code that serves, up to where a server would
be asked: nobody is asked, so the configuration may be one that is not in use yet,
and the answer knows nothing of how servers are right now.

A URL without "http://" or "https://" is taken for https where the configuration
listens for that, else for http.

` + exitCodes,
		Example: `  evergate explain https://shop.example.org/cart
  evergate explain shop.example.org/pay --method POST --header "Idempotency-Key: 1"
  evergate explain https://shop.example.org/admin --client 203.0.113.9 -o json`,
		Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			asJSON, err := jsonWanted(output)
			if err != nil {
				return err
			}
			if question.Header, err = readHeaders(headers); err != nil {
				return err
			}
			if question.Client, err = readClient(client); err != nil {
				return err
			}
			path, err := findConfig(file)
			if err != nil {
				return err
			}
			cfg, _, err := server.Load(path)
			if err != nil {
				return configFailure(err)
			}
			question.URL = withScheme(args[0], len(cfg.Listen.HTTPS) > 0)
			explanation, err := server.Explain(cfg, question)
			if err != nil {
				return &exitError{code: exitUsage, err: err}
			}
			if asJSON {
				encoder := json.NewEncoder(cmd.OutOrStdout())
				encoder.SetIndent("", "  ")
				encoder.SetEscapeHTML(false)
				return encoder.Encode(explanation)
			}
			return newExplainText(cmd.OutOrStdout()).write(explanation)
		},
	}
	addConfig(cmd, &file)
	addOutput(cmd, &output)
	cmd.Flags().StringVarP(&question.Method, "method", "X", http.MethodGet, "`method` of the request")
	cmd.Flags().StringArrayVarP(&headers, "header", "H", nil, "header `field`, as \"Name: value\"; may be repeated")
	cmd.Flags().StringVar(&client, "client", "127.0.0.1", "`address` from which the visitor comes")
	_ = cmd.RegisterFlagCompletionFunc("method", cobra.FixedCompletions( // fails only for a flag that is not there
		[]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// withScheme is url with a scheme.
func withScheme(url string, https bool) string {
	switch {
	case strings.Contains(url, "://"):
		return url
	case https:
		return "https://" + url
	}
	return "http://" + url
}

// readHeaders reads the values of --header.
func readHeaders(lines []string) (http.Header, error) {
	h := make(http.Header)
	for _, line := range lines {
		name, value, ok := strings.Cut(line, ":")
		if !ok || strings.TrimSpace(name) == "" {
			return nil, &exitError{code: exitUsage, err: fmt.Errorf(`--header %q: want "Name: value"`, line)}
		}
		h.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	return h, nil
}

// readClient reads the value of --client.
func readClient(text string) (netip.Addr, error) {
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}, &exitError{code: exitUsage, err: fmt.Errorf("--client %s: want an address such as 203.0.113.9 or 2001:db8::9", text)}
	}
	return addr, nil
}
