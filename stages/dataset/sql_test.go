package dataset

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func sqliteFile(t testing.TB, statements ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "re views?#%.db")
	db, err := sql.Open("sqlite", "file:"+url.PathEscape(path))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	return path
}

func TestSQLite(t *testing.T) {
	path := sqliteFile(t,
		`CREATE TABLE "my ""reviews"" " (id INTEGER, review TEXT, sentiment TEXT)`,
		`INSERT INTO "my ""reviews"" " VALUES (1, 'good', 'positive'), (2, 'bad', 'negative'), (3, NULL, 'positive'), (4, 'so so', 'neutral'), (5, x'62ff', 'negative'), (6, 'a', 'positive')`,
		`CREATE TABLE numbers (body BLOB, stars INTEGER, score REAL)`,
		`INSERT INTO numbers VALUES ('good', 1, 1.5), ('bad', 0, 0.5)`,
	)
	want := []Row{{"a", 1}, {"bad", 0}, {"good", 1}}
	set, err := load(t, Source{Location: path, Table: `my "reviews" `})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, set.Rows); diff != "" {
		t.Error(diff)
	}
	if got := set.Stats.LeftOut(); got != `3 rows left out: row 3: review is NULL; row 4: sentiment is "neutral"; row 5: review is not UTF-8` {
		t.Error(got)
	}
	for _, s := range []Source{
		{Table: "numbers", Text: "body", Label: "stars"},
		{Table: "main.numbers", Text: "body", Label: "stars"},
		{Table: "numbers", Text: "body", Label: "score", Labels: map[string]int{"1.5": 1, "0.5": 0}},
		{Query: "SELECT body AS review, stars > 0 AS sentiment FROM numbers"},
	} {
		s.Location = path
		set, err := load(t, s)
		if err != nil {
			t.Errorf("%+v: %v", s, err)
			continue
		}
		if diff := cmp.Diff([]Row{{"bad", 0}, {"good", 1}}, set.Rows); diff != "" {
			t.Errorf("%+v: %s", s, diff)
		}
	}
	for _, tt := range []struct {
		s    Source
		want string
	}{
		{Source{}, "neither a table nor a query"},
		{Source{Table: "numbers", Query: "SELECT 1"}, "both a table and a query"},
		{Source{Table: "none"}, "no such table: none"},
		{Source{Table: "numbers"}, `no column "review"; columns are ["body" "stars" "score"]`},
		{Source{Table: "a..b"}, "is no name"},
		{Source{Table: `numbers" --`, Text: "body", Label: "stars"}, "no such table"},
		{Source{Query: "SELEC"}, "syntax error"},
		{Source{Query: "DELETE FROM numbers RETURNING body AS review, stars AS sentiment"}, "readonly"},
		{Source{Query: "SELECT 'x' AS review, 1 AS sentiment"}, "no row of class 0"},
		{Source{Table: "numbers", Text: "body", Label: "stars", Limits: Limits{Bytes: 5}}, "larger than 5 bytes"},
	} {
		tt.s.Location = path
		if _, err := load(t, tt.s); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: error %v, want %q", tt.s, err, tt.want)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Load(ctx, Source{Location: path, Table: "numbers", Text: "body", Label: "stars"}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if set, err := load(t, Source{Location: path, Query: "SELECT count(*) || ' rows' AS review, 1 AS sentiment FROM numbers UNION SELECT '', 0"}); err != nil || set.Rows[1].Review != "2 rows" {
		t.Errorf("something was deleted: %+v, %v", set, err)
	}
}

func TestQuoting(t *testing.T) {
	for _, tt := range []struct {
		d          dialect
		name, want string
	}{
		{ansi, "reviews", `"reviews"`}, {ansi, `public.my "x"`, `"public"."my ""x"""`},
		{transact, "dbo.reviews", "[dbo].[reviews]"}, {transact, "x]; DROP TABLE y", "[x]]; DROP TABLE y]"}, {transact, "db.dbo.t", "[db].[dbo].[t]"},
	} {
		if got, err := tt.d.quoteTable(tt.name); err != nil || got != tt.want {
			t.Errorf("%s: %s, %v; want %s", tt.name, got, err, tt.want)
		}
	}
	for _, bad := range []string{"", ".", "a.", "a.b.c.d", "a\x00"} {
		if got, err := ansi.quoteTable(bad); err == nil {
			t.Errorf("%q: %s", bad, got)
		}
	}
}

func TestPasswordsAreRefused(t *testing.T) {
	for _, location := range []string{
		"postgres://user:s3cret@host/db?table=t", "postgresql://host/db?password=s3cret&table=t", "sqlserver://sa:s3cret@host?table=t",
		"sqlserver://host?Password=s3cret&table=t", "mssql://host?pwd=s3cret", "postgres://host/db?sslpassword=s3cret", "postgres://user:s3cret%zz@host/db",
		"https://user:s3cret@host/x", "s3://id:s3cret@bucket/key",
	} {
		s := Source{Location: location}
		err := s.Check()
		var known *SourceError
		if !errors.As(err, &known) || strings.Contains(err.Error()+known.Hint(), "s3cret") || known.Hint() == "" {
			t.Errorf("%s: error %v", location, err)
		}
	}
	for _, location := range []string{"postgres://user@host/db?table=t", "sqlserver://host/instance?database=d", "https://host/x?token=public", "a:b@c.csv"} {
		s := Source{Location: location}
		if err := s.Check(); err != nil {
			t.Errorf("%s: %v", location, err)
		}
	}
}

func TestSQLServerConfig(t *testing.T) {
	config := func(location string) (c struct{ Host, Instance, Database, User, Password string }, u *url.URL, err error) {
		s := &Source{Location: location}
		u, err = url.Parse(location)
		if err != nil {
			return c, nil, err
		}
		d := &database{source: s, dialect: transact}
		if err := d.takeParameters(u); err != nil {
			return c, u, err
		}
		m, err := sqlServerConfig(s, u)
		c.Host, c.Instance, c.Database, c.User, c.Password = m.Host, m.Instance, m.Database, m.User, m.Password
		return c, u, err
	}
	t.Setenv("SQLCMDUSER", "sa")
	t.Setenv("SQLCMDPASSWORD", "p:a/s?s@%")
	c, u, err := config("mssql://host:1444/inst?database=films&table=dbo.reviews&encrypt=disable")
	if err != nil {
		t.Fatal(err)
	}
	if c.Host != "host" || c.Instance != "inst" || c.Database != "films" || c.User != "sa" || c.Password != "p:a/s?s@%" {
		t.Errorf("%+v", c)
	}
	if strings.Contains(u.RawQuery, "table") {
		t.Errorf("the driver would see %s", u.RawQuery)
	}
	t.Setenv("FILMS_PASSWORD", "other")
	if c, _, err = config("sqlserver://reader@host?table=t&password_env=FILMS_PASSWORD"); err != nil || c.User != "reader" || c.Password != "other" {
		t.Errorf("%+v, %v", c, err)
	}
	t.Setenv("SQLCMDUSER", "")
	if c, _, err = config("sqlserver://host?table=t"); err != nil || c.User != "" {
		t.Errorf("integrated: %+v, %v", c, err)
	}
	for location, want := range map[string]string{
		"sqlserver://host?table=t&password_env=NOT_SET_AT_ALL": "NOT_SET_AT_ALL",
		"sqlserver://host":                       "neither a table nor a query",
		"sqlserver://host?table=t&query=SELECT":  "both a table and a query",
		"sqlserver://host?table=t&encrypt=maybe": "encrypt",
	} {
		if _, _, err := config(location); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "p:a/s") {
			t.Errorf("%s: error %v, want %q", location, err, want)
		}
	}
	// Nobody listens there: the driver is linked and asked.
	_, err = load(t, Source{Location: "sqlserver://127.0.0.1:1?table=t&dial+timeout=1&connection+timeout=1"})
	if err == nil || !strings.Contains(err.Error(), "query source sqlserver://127.0.0.1:1?…") {
		t.Errorf("no server: %v", err)
	}
	_, err = load(t, Source{Location: "postgres://127.0.0.1:1/db?table=t&connect_timeout=1"})
	if err == nil || !strings.Contains(err.Error(), "query source postgres://127.0.0.1:1/db?…") {
		t.Errorf("no server: %v", err)
	}
}

func TestRedact(t *testing.T) {
	for in, want := range map[string]string{
		"data/a.csv": "data/a.csv", "https://h/a.csv?X-Amz-Signature=abc": "https://h/a.csv?…",
		"postgres://u@h/db": "postgres://u@h/db", "s3://b/k?endpoint=x": "s3://b/k?…",
	} {
		if got := redact(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}
