package server

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/evergate/evergate/internal/admin/token"
	"github.com/evergate/evergate/internal/server/adminsocket"
)

// operator asks a door's API on one transport.
type operator struct {
	base   string
	client *http.Client
	token  string
}

// do asks and returns the answer with its whole body; of a stream the first lines.
func (o *operator) do(t *testing.T, method, path, body string) (*http.Response, []byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, o.base+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if o.token != "" {
		r.Header.Set("Authorization", "Bearer "+o.token)
	}
	resp, err := o.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		lines := bufio.NewReader(resp.Body)
		var first []byte
		for !bytes.Contains(first, []byte("\n\n")) {
			line, err := lines.ReadBytes('\n')
			if err != nil {
				t.Fatalf("read the stream: %v after %q", err, first)
			}
			first = append(first, line...)
		}
		return resp, first
	}
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, content
}

func (d *door) socketOperator() *operator {
	socket := filepath.Join(d.dir, "data", adminsocket.Name)
	return &operator{base: "http://localhost", client: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var n net.Dialer
			return n.DialContext(ctx, "unix", socket)
		},
	}}}
}

// issue makes a token of a role.
func (o *operator) issue(t *testing.T, role token.Role) string {
	t.Helper()
	var made struct {
		Secret string `json:"secret"`
	}
	_, body := o.do(t, http.MethodPost, "/api/v1/tokens", fmt.Sprintf(`{"name": "test", "role": %q}`, role))
	if err := json.Unmarshal(body, &made); err != nil || made.Secret == "" {
		t.Fatalf("make a token: %s, %v", body, err)
	}
	return made.Secret
}

// document is what the test reads of the OpenAPI document.
type document struct {
	Paths map[string]map[string]struct {
		OperationID string     `json:"operationId"`
		Role        token.Role `json:"x-evergate-role"`
		Responses   map[string]struct {
			Content map[string]json.RawMessage `json:"content"`
		} `json:"responses"`
	} `json:"paths"`
}

// operation is one of the document with where it stands.
type operation struct {
	id, method, path string
	role             token.Role
	kinds            map[string][]string // content types of the answers, by status
}

func (o *operator) operations(t *testing.T) (map[string]operation, *jsonschema.Compiler) {
	t.Helper()
	_, body := o.do(t, http.MethodGet, "/api/openapi.json", "")
	var doc document
	if err := json.Unmarshal(body, &doc); err != nil {
		t.Fatal(err)
	}
	all := map[string]operation{}
	for path, methods := range doc.Paths {
		for method, op := range methods {
			kinds := map[string][]string{}
			for status, r := range op.Responses {
				kinds[status] = slices.Collect(maps.Keys(r.Content))
			}
			all[op.OperationID] = operation{id: op.OperationID, method: strings.ToUpper(method), path: path, role: op.Role, kinds: kinds}
		}
	}
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("https://door.test/openapi.json", parsed); err != nil {
		t.Fatal(err)
	}
	return all, c
}

// valid holds an answer against what the document has for its status: the content
// type and the schema.
func valid(t *testing.T, c *jsonschema.Compiler, op operation, resp *http.Response, body []byte) {
	t.Helper()
	kinds, known := op.kinds[fmt.Sprint(resp.StatusCode)]
	kind, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	switch {
	case !known:
		t.Errorf("%s: the document has no answer %d", op.id, resp.StatusCode)
		return
	case len(kinds) == 0:
		if len(body) != 0 {
			t.Errorf("%s: the document has no content for %d, and it is %s", op.id, resp.StatusCode, body)
		}
		return
	case !slices.Contains(kinds, kind):
		t.Errorf("%s: %d is of type %q, and the document says %q", op.id, resp.StatusCode, kind, kinds)
		return
	}
	escape := strings.NewReplacer("~", "~0", "/", "~1")
	pointer := fmt.Sprintf("/paths/%s/%s/responses/%d/content/%s/schema", escape.Replace(op.path), strings.ToLower(op.method), resp.StatusCode, escape.Replace(kind))
	if kind == "text/event-stream" {
		name, rest, _ := strings.Cut(strings.TrimPrefix(string(body[bytes.Index(body, []byte("event: ")):]), "event: "), "\n")
		_, data, _ := strings.Cut(rest, "data: ")
		pointer, body = "/components/schemas/"+map[string]string{"state": "FullState"}[name], []byte(data)
	}
	schema, err := c.Compile("https://door.test/openapi.json#" + (&url.URL{Path: pointer}).EscapedPath())
	if err != nil {
		t.Errorf("%s: the document has no schema for %d %s: %v", op.id, resp.StatusCode, kind, err)
		return
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		t.Errorf("%s: %v in %s", op.id, err, body)
		return
	}
	if err := schema.Validate(value); err != nil {
		t.Errorf("%s: the answer is not what the document says: %v\n%s", op.id, err, body)
	}
}

// step drives one operation; the names in braces of its path are filled in, and
// query is behind it.
type step struct {
	id, query, body string
	status          int
	want            string // in the answer
}

// steps are all operations, in an order in which each has something to do.
func steps() []step {
	because := `"reason": "a test"`
	return []step{
		{"get-status", "", "", 200, `"phase":"serving"`},
		{"get-config", "", "", 200, `"origins"`},
		{"list-sites", "", "", 200, `"hosts"`},
		{"list-origins", "", "", 200, `"app"`},
		{"get-origin", "", "", 200, `"servers"`},
		{"get-server", "", "", 200, `"levers"`},
		{"list-levers", "", "", 200, `origins.app.paused`},
		{"get-lever", "", "", 200, `"file":0`},
		{"set-lever", "", `{"value": 7, "version": VERSION, ` + because + `}`, 200, `"value":7`},
		{"get-lever-history", "", "", 200, `a test`},
		{"reset-lever", "?version=VERSION&reason=a+test", "", 200, `"set":false`},
		{"drain-server", "", `{` + because + `, "revert_after": "1h"}`, 200, `"revert"`},
		{"list-due", "", "", 200, `"pending"`},
		{"cancel-due", "?reason=a+test", "", 204, ""},
		{"disable-server", "", `{` + because + `}`, 200, `maint`},
		{"enable-server", "", `{` + because + `}`, 200, `up`},
		{"reload", "", "", 200, `"ok":true`},
		{"get-store", "", "", 200, `"sqlite"`},
		{"confirm-store", "", `{"how": "refill", ` + because + `}`, 409, "confirmation"},
		{"create-token", "", `{"name": "driven", "role": "viewer"}`, 201, `evg_`},
		{"list-tokens", "", "", 200, `driven`},
		{"revoke-token", "?reason=a+test", "", 200, ""},
		{"follow-events", "", "", 200, "event: state"},
	}
}

// driver fills in what the paths and bodies of steps need.
type driver struct {
	server     string
	due, token string // ids, as earlier answers had them
	version    string // of the lever
}

func (d *driver) fill(text string) string { return strings.ReplaceAll(text, "VERSION", d.version) }

func (d *driver) path(op operation) string {
	path := strings.ReplaceAll(op.path, "{addr}", url.PathEscape(d.server))
	id := d.due
	if strings.Contains(path, "/tokens/") {
		id = d.token
	}
	name := "app"
	if strings.Contains(path, "/levers/") {
		name = "origins.app.max_in_flight"
	}
	return strings.NewReplacer("{name}", name, "{id}", id).Replace(path)
}

// learn takes out of an answer what later steps need.
func (d *driver) learn(id string, body []byte) {
	var answer struct {
		Version int64 `json:"version"`
		Lever   struct {
			Version int64 `json:"version"`
		} `json:"lever"`
		Due   json.RawMessage `json:"due"`
		Token struct {
			ID string `json:"id"`
		} `json:"token"`
	}
	_ = json.Unmarshal(body, &answer)
	switch id {
	case "get-lever":
		d.version = fmt.Sprint(answer.Version)
	case "set-lever":
		d.version = fmt.Sprint(answer.Lever.Version)
	case "create-token":
		d.token = answer.Token.ID
	case "list-due":
		var list []struct {
			ID    string `json:"id"`
			State string `json:"state"`
		}
		_ = json.Unmarshal(answer.Due, &list)
		for _, due := range list {
			if due.State == "pending" {
				d.due = due.ID
			}
		}
	}
}

func TestAPI_EveryOperationOfTheDocumentWorksOnEveryTransport(t *testing.T) {
	dir := newDir(t)
	app := backend(t, "x")
	d := open(t, dir, minimal(app.URL, ""))
	certificate, pool := ownCertificate(t, dir)
	secure := open(t, newDir(t), minimal(app.URL, certificate))
	local, secureLocal := d.socketOperator(), secure.socketOperator()
	transports := map[string]*operator{
		"unix socket": local,
		"TCP":         {base: "http://" + d.addr.Admin, client: &http.Client{Transport: &http.Transport{}}, token: local.issue(t, token.Admin)},
		"TLS": {base: "https://" + secure.addr.Admin, token: secureLocal.issue(t, token.Admin),
			client: &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}},
	}
	for name, o := range transports {
		t.Run(name, func(t *testing.T) {
			all, schemas := o.operations(t)
			drive := &driver{server: strings.TrimPrefix(app.URL, "http://")}
			driven := map[string]bool{}
			for _, s := range steps() {
				op, known := all[s.id]
				if !known {
					t.Errorf("the document has no operation %s", s.id)
					continue
				}
				if driven[s.id] {
					t.Errorf("%s is driven twice", s.id)
				}
				driven[s.id] = true
				resp, body := o.do(t, op.method, drive.path(op)+drive.fill(s.query), drive.fill(s.body))
				if resp.StatusCode != s.status || !bytes.Contains(body, []byte(s.want)) {
					t.Errorf("%s answered %d, want %d with %q:\n%s", s.id, resp.StatusCode, s.status, s.want, body)
				}
				valid(t, schemas, op, resp, body)
				drive.learn(s.id, body)
			}
			for id := range all {
				if !driven[id] {
					t.Errorf("operation %s of the document is not driven", id)
				}
			}
		})
	}
}

func TestAPI_EachRoleMayDoWhatTheDocumentSays(t *testing.T) {
	app := backend(t, "x")
	d := open(t, newDir(t), minimal(app.URL, ""))
	local := d.socketOperator()
	all, schemas := local.operations(t)
	drive := &driver{server: strings.TrimPrefix(app.URL, "http://"), due: "none", token: "none", version: "0"}
	may := map[token.Role][]token.Role{ // what is needed, who has it
		token.Viewer:   {token.Viewer, token.Operator, token.Auditor, token.Admin},
		token.Operator: {token.Operator, token.Admin},
		token.Auditor:  {token.Auditor, token.Admin},
		token.Admin:    {token.Admin},
	}
	for _, role := range []token.Role{"", token.Viewer, token.Auditor, token.Operator, token.Admin} {
		o := &operator{base: "http://" + d.addr.Admin, client: &http.Client{Transport: &http.Transport{}}}
		if role != "" {
			o.token = local.issue(t, role)
		}
		for id, op := range all {
			if may[op.role] == nil {
				t.Errorf("%s: the document names the role %q", id, op.role)
			}
			body := "" // or one that is none: who may ask is told what is wrong with it
			if op.method != http.MethodGet && op.method != http.MethodDelete && id != "reload" {
				body = "{"
			}
			resp, content := o.do(t, op.method, drive.path(op), body)
			valid(t, schemas, op, resp, content)
			switch got := resp.StatusCode; {
			case role == "":
				if got != http.StatusUnauthorized || resp.Header.Get("WWW-Authenticate") == "" {
					t.Errorf("%s without a token: %d %q", id, got, resp.Header)
				}
			case !slices.Contains(may[op.role], role):
				if got != http.StatusForbidden {
					t.Errorf("%s as %s: %d, and the document says %s", id, role, got, op.role)
				}
			case got != http.StatusOK && got != http.StatusBadRequest && got != http.StatusNotFound && got != http.StatusUnprocessableEntity:
				t.Errorf("%s as %s: %d, and the document says %s: %s", id, role, got, op.role, content)
			}
		}
	}
}

// ownCertificate makes a certificate for 127.0.0.1 and returns the lines of
// configuration that use it.
func ownCertificate(t *testing.T, dir string) (lines string, pool *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(365 * 24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for name, content := range map[string][]byte{"admin.pem": public, "admin.key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(public)
	return fmt.Sprintf("admin: {tls: {cert: %q, key: %q}}\n", filepath.Join(dir, "admin.pem"), filepath.Join(dir, "admin.key")), pool
}
