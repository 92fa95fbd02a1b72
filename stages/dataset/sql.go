package dataset

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	mssql "github.com/microsoft/go-mssqldb"
	"github.com/microsoft/go-mssqldb/msdsn"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

// database is a source behind database/sql.
type database struct {
	source  *Source
	dialect dialect
	// query, if set, is read instead of table.
	query, table string
}

// loadSQL reads a Postgres or SQL Server source. The order of rows in a
// database means nothing: they come sorted, by text and then by label.
func loadSQL(ctx context.Context, s Source, progress func(done int64)) (*Set, error) {
	u, err := url.Parse(s.Location)
	if err != nil || u.Host == "" && s.scheme() != "postgres" && s.scheme() != "postgresql" {
		return nil, s.fail("write it as postgres://HOST/DATABASE or sqlserver://HOST?database=NAME", "is no address of a database")
	}
	d := &database{source: &s, query: s.Query, table: s.Table}
	if err := d.takeParameters(u); err != nil {
		return nil, err
	}
	var db *sql.DB
	readOnly := false
	switch s.scheme() {
	case "postgres", "postgresql":
		d.dialect, readOnly = ansi, true
		db, err = openPostgres(&s, u)
	default:
		d.dialect = transact
		db, err = openSQLServer(&s, u)
	}
	if err != nil {
		return nil, err
	}
	defer db.Close() //nolint:errcheck // read only
	return d.read(ctx, db, readOnly, progress)
}

// takeParameters moves what is flow's out of the URL.
func (d *database) takeParameters(u *url.URL) error {
	q := u.Query()
	for name, into := range map[string]*string{"table": &d.table, "query": &d.query} {
		v := q.Get(name)
		if v == "" {
			continue
		}
		if *into != "" {
			return d.source.fail("give it once", "%s is given twice", name)
		}
		*into = v
		q.Del(name)
	}
	u.RawQuery = q.Encode()
	return d.check()
}

func (d *database) check() error {
	switch {
	case d.table == "" && d.query == "":
		return d.source.fail("set table: NAME or query: SELECT …", "neither a table nor a query")
	case d.table != "" && d.query != "":
		return d.source.fail("give one of them", "both a table and a query")
	}
	return nil
}

// openPostgres goes by the URL and, for what that leaves out, by libpq's
// environment variables and password file: PGUSER, PGPASSWORD, PGHOST, ….
func openPostgres(s *Source, u *url.URL) (*sql.DB, error) {
	password, err := namedPassword(s, u)
	if err != nil {
		return nil, err
	}
	c, err := pgx.ParseConfig(u.String())
	if err != nil {
		return nil, s.fail("write it as postgres://HOST/DATABASE", "%v", err)
	}
	if password != "" {
		c.Password = password
	}
	return stdlib.OpenDB(*c), nil
}

// openSQLServer goes by the URL, and by sqlcmd's environment variables
// SQLCMDUSER and SQLCMDPASSWORD. Without a user it is the operating system's,
// where that can be proved to the server.
func openSQLServer(s *Source, u *url.URL) (*sql.DB, error) {
	c, err := sqlServerConfig(s, u)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(mssql.NewConnectorConfig(c)), nil
}

func sqlServerConfig(s *Source, u *url.URL) (msdsn.Config, error) {
	password, err := namedPassword(s, u)
	if err != nil {
		return msdsn.Config{}, err
	}
	u.Scheme = "sqlserver"
	user := u.User.Username()
	if user == "" {
		user = os.Getenv("SQLCMDUSER")
	}
	if password == "" {
		password = os.Getenv("SQLCMDPASSWORD")
	}
	u.User = nil
	if user != "" {
		u.User = url.UserPassword(user, password)
	}
	c, err := msdsn.Parse(u.String())
	if err != nil {
		return c, s.fail("write it as sqlserver://HOST?database=NAME", "%s", strings.ReplaceAll(err.Error(), url.QueryEscape(password), "…"))
	}
	return c, nil
}

// namedPassword takes the parameter password_env out of the URL and returns
// the value of the environment variable that it names.
func namedPassword(s *Source, u *url.URL) (string, error) {
	q := u.Query()
	name := q.Get("password_env")
	if name == "" {
		return "", nil
	}
	q.Del("password_env")
	u.RawQuery = q.Encode()
	password := os.Getenv(name)
	if password == "" {
		return "", s.fail("export "+name, "the environment variable %s, which is to hold the password, is not set", name)
	}
	return password, nil
}

// loadSQLite reads a SQLite database, which is only read.
func loadSQLite(ctx context.Context, s Source, file string, progress func(done int64)) (*Set, error) {
	d := &database{source: &s, dialect: ansi, query: s.Query, table: s.Table}
	if err := d.check(); err != nil {
		return nil, err
	}
	path := filepath.ToSlash(file)
	if !strings.HasPrefix(path, "/") && filepath.IsAbs(file) {
		path = "/" + path // a drive letter
	}
	name := (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: "mode=ro&_pragma=query_only(1)&_pragma=busy_timeout(5000)"}).String()
	db, err := sql.Open("sqlite", name)
	if err != nil {
		return nil, fmt.Errorf("open source %s: %w", s.Location, err)
	}
	defer db.Close() //nolint:errcheck // read only
	return d.read(ctx, db, false, progress)
}

// read reads the rows in one transaction.
func (d *database) read(ctx context.Context, db *sql.DB, readOnly bool, progress func(done int64)) (*Set, error) {
	fail := func(err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("query source %s: %w", redact(d.source.Location), err)
	}
	tx, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: readOnly})
	if err != nil {
		return nil, fail(err)
	}
	defer tx.Rollback() //nolint:errcheck // nothing was written
	query := d.query
	if query == "" {
		if query, err = d.selectTable(ctx, tx); err != nil {
			return nil, err
		}
	}
	rows, err := tx.QueryContext(ctx, query)
	if err != nil {
		return nil, fail(err)
	}
	defer rows.Close() //nolint:errcheck // read to its end or given up
	names, err := rows.Columns()
	if err != nil {
		return nil, fail(err)
	}
	b := newBuilder(d.source, false)
	c, err := b.columns(names)
	if err != nil {
		return nil, err
	}
	if err := d.collect(rows, c, b, progress); err != nil {
		return nil, fail(err)
	}
	if err := b.checkClasses(); err != nil {
		return nil, err
	}
	sortRows(b.rows)
	return &Set{Rows: b.rows, Stats: b.stats}, nil
}

func (d *database) collect(rows *sql.Rows, c columns, b *builder, progress func(done int64)) error {
	limits := d.source.Limits.withDefaults()
	values, into := make([]any, c.width), make([]any, c.width)
	for i := range values {
		into[i] = &values[i]
	}
	var n, size int64
	for rows.Next() {
		n++
		if err := rows.Scan(into...); err != nil {
			return err
		}
		where := fmt.Sprintf("row %d", n)
		review, ok := textOf(values[c.text])
		class, labelled := textOf(values[c.label])
		var err error
		switch {
		case !ok:
			err = b.bad(where, "%s is %s", d.source.text(), kindOf(values[c.text]))
		case !labelled:
			err = b.bad(where, "%s is %s", d.source.label(), kindOf(values[c.label]))
		case int64(len(review)) > limits.Record:
			err = b.bad(where, "%s is longer than %d bytes", d.source.text(), limits.Record)
		default:
			err = b.add(where, review, class)
		}
		if err != nil {
			return err
		}
		if size += int64(len(review)); size > limits.Bytes {
			return fmt.Errorf("the source is larger than %d bytes", limits.Bytes)
		}
		if n%1024 == 0 {
			progress(n)
		}
	}
	progress(n)
	return rows.Err()
}

// textOf returns a value of a column as text: true and false are 1 and 0.
func textOf(v any) (string, bool) {
	switch x := v.(type) {
	case string:
		return x, true
	case []byte:
		return string(x), true
	case int64:
		return strconv.FormatInt(x, 10), true
	case float64:
		return strconv.FormatFloat(x, 'g', -1, 64), true
	case bool:
		if x {
			return "1", true
		}
		return "0", true
	}
	return "", false
}

func kindOf(v any) string {
	if v == nil {
		return "NULL"
	}
	return fmt.Sprintf("a %T", v)
}
