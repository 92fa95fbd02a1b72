//go:build interop

package ml

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flowrepro/flow/stages/dataset"
)

const postgresPassword = "p:a/s?s@'%"

// cluster is a Postgres server with a database of its own in a temporary
// directory. Postgres refuses to run as root, so root runs it as nobody.
type cluster struct {
	t              *testing.T
	bin, dir, port string
	as             *syscall.SysProcAttr
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	bin := os.Getenv("FLOW_TEST_POSTGRES")
	if bin == "" {
		found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
		if len(found) == 0 {
			missing(t, "Postgres is not installed")
		}
		slices.Sort(found)
		bin = filepath.Dir(found[len(found)-1])
	}
	// A socket's path must be short, and the directories above the cluster
	// open to its user.
	dir, err := os.MkdirTemp("", "pg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	c := &cluster{t: t, bin: bin, dir: dir, port: freePort(t)}
	if os.Getuid() == 0 {
		nobody, err := user.Lookup("nobody")
		if err != nil {
			t.Fatal(err)
		}
		uid, _ := strconv.Atoi(nobody.Uid)
		gid, _ := strconv.Atoi(nobody.Gid)
		if err := os.Chown(dir, uid, gid); err != nil {
			t.Fatal(err)
		}
		c.as = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	}
	secret := filepath.Join(dir, "password")
	if err := os.WriteFile(secret, []byte(postgresPassword), 0o644); err != nil {
		t.Fatal(err)
	}
	c.run(nil, "initdb", "-D", filepath.Join(dir, "data"), "-U", "flow", "-A", "scram-sha-256", "--pwfile", secret, "-E", "UTF8", "--locale", "C", "--no-sync")
	start(t, c.command("postgres", "-D", filepath.Join(dir, "data"), "-p", c.port, "-c", "listen_addresses=127.0.0.1",
		"-c", "unix_socket_directories="+dir, "-c", "fsync=off"), c.port)
	return c
}

func (c *cluster) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(c.bin, name), args...)
	cmd.Dir, cmd.SysProcAttr = c.dir, c.as
	cmd.Env = append(os.Environ(), "PGPASSWORD="+postgresPassword, "HOME="+c.dir)
	return cmd
}

func (c *cluster) run(in []byte, name string, args ...string) {
	c.t.Helper()
	cmd := c.command(name, args...)
	cmd.Stdin = bytes.NewReader(in)
	if out, err := cmd.CombinedOutput(); err != nil {
		c.t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

func (c *cluster) psql(statements string) {
	c.t.Helper()
	c.run([]byte(statements), "psql", "-h", "127.0.0.1", "-p", c.port, "-U", "flow", "-d", "postgres", "-v", "ON_ERROR_STOP=1", "-q", "-f", "-")
}

func TestPostgres(t *testing.T) {
	c := newCluster(t)
	c.psql(`
CREATE TABLE reviews (id serial, review text, sentiment text);
INSERT INTO reviews (review, sentiment) VALUES ('good', 'positive'), ('bad', 'negative'), (NULL, 'positive'), ('so so', 'neutral'), ('naïve', 'positive');
CREATE SCHEMA "My Films";
CREATE TABLE "My Films"."Re""views" ("Body" varchar(100), liked boolean, stars numeric);
INSERT INTO "My Films"."Re""views" VALUES ('good', true, 5), ('bad', false, 1);
CREATE USER reader;
`)
	address := "postgres://127.0.0.1:" + c.port + "/postgres"
	t.Setenv("PGUSER", "flow")
	t.Setenv("PGPASSWORD", postgresPassword)
	load := func(s dataset.Source) (*dataset.Set, error) { return dataset.Load(context.Background(), s, nil) }
	two := []dataset.Row{{Review: "bad", Label: 0}, {Review: "good", Label: 1}}
	for _, tt := range []struct {
		name string
		s    dataset.Source
		want []dataset.Row
		left string
	}{
		{"table in the address", dataset.Source{Location: address + "?table=reviews"}, append(slices.Clone(two), dataset.Row{Review: "naïve", Label: 1}),
			`2 rows left out: row 3: review is NULL; row 4: sentiment is "neutral"`},
		{"table with a schema", dataset.Source{Location: address, Table: `My Films.Re"views`, Text: "Body", Label: "liked"}, two, ""},
		{"numeric labels", dataset.Source{Location: address, Table: `My Films.Re"views`, Text: "Body", Label: "stars", Labels: map[string]int{"5": 1, "1": 0}}, two, ""},
		{"query", dataset.Source{Location: address, Query: `SELECT review, sentiment FROM reviews WHERE id < 3`}, two, ""},
		{"query in the address", dataset.Source{Location: address + "?sslmode=disable&query=SELECT+review,+sentiment+FROM+reviews+WHERE+id+%3C+3"}, two, ""},
	} {
		set, err := load(tt.s)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if diff := cmp.Diff(tt.want, set.Rows); diff != "" || set.Stats.LeftOut() != tt.left {
			t.Errorf("%s: %s\n%s", tt.name, diff, set.Stats.LeftOut())
		}
	}
	for _, tt := range []struct{ query, table, want string }{
		{"", "none", `relation "none" does not exist`},
		{"", "pg_class", `no column "review"`},
		{"", `reviews"; DROP TABLE reviews; --`, "does not exist"},
		{"DELETE FROM reviews RETURNING review, sentiment", "", "read-only transaction"},
		{"SELECT pg_sleep(0), review FROM", "", "syntax error"},
	} {
		_, err := load(dataset.Source{Location: address, Table: tt.table, Query: tt.query})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: error %v", tt, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := dataset.Load(ctx, dataset.Source{Location: address, Table: "reviews"}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}

	// The password by another name, and a wrong one.
	t.Setenv("PGPASSWORD", "")
	t.Setenv("FILMS_PASSWORD", postgresPassword)
	if _, err := load(dataset.Source{Location: address + "?table=reviews&password_env=FILMS_PASSWORD"}); err != nil {
		t.Errorf("password_env: %v", err)
	}
	t.Setenv("PGPASSWORD", "wr0ng")
	if _, err := load(dataset.Source{Location: address, Table: "reviews"}); err == nil || strings.Contains(err.Error(), "wr0ng") || !strings.Contains(err.Error(), "authentication failed") {
		t.Errorf("wrong password: %v", err)
	}
}

// All reviews come out of the database as they went in.
func TestPostgresCorpus(t *testing.T) {
	path := reviews(t)
	c := newCluster(t)
	want, _, err := dataset.ReadFile(context.Background(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	var data bytes.Buffer
	if err := dataset.Write(context.Background(), &data, want); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(c.dir, "reviews.csv")
	if err := os.WriteFile(file, data.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	c.psql(fmt.Sprintf("CREATE TABLE reviews (review text, sentiment int);\n\\copy reviews FROM '%s' WITH (FORMAT csv, HEADER)\n", file))
	t.Setenv("PGUSER", "flow")
	t.Setenv("PGPASSWORD", postgresPassword)
	set, err := dataset.Load(context.Background(), dataset.Source{Location: "postgres://127.0.0.1:" + c.port + "/postgres", Table: "reviews"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	sorted := func(rows []dataset.Row) []dataset.Row {
		slices.SortFunc(rows, func(a, b dataset.Row) int {
			if d := strings.Compare(a.Review, b.Review); d != 0 {
				return d
			}
			return a.Label - b.Label
		})
		return rows
	}
	if !slices.Equal(sorted(want), set.Rows) {
		t.Errorf("%d rows, want %d alike", len(set.Rows), len(want))
	}
}
