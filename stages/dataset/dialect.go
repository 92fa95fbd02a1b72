package dataset

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"strings"
)

// dialect is how a database quotes names.
type dialect struct {
	open, close string
}

var (
	// ansi is standard SQL, as Postgres and SQLite write it.
	ansi = dialect{`"`, `"`}
	// transact is SQL Server's.
	transact = dialect{"[", "]"}
)

// quote quotes one name. A quoted name means that very name, with its case.
func (d dialect) quote(name string) string {
	return d.open + strings.ReplaceAll(name, d.close, d.close+d.close) + d.close
}

// quoteTable quotes NAME or SCHEMA.NAME, or DATABASE.SCHEMA.NAME.
func (d dialect) quoteTable(name string) (string, error) {
	parts := strings.Split(name, ".")
	for i, p := range parts {
		if p == "" || strings.IndexByte(p, 0) >= 0 || len(parts) > 3 {
			return "", fmt.Errorf("table %q is no name", name)
		}
		parts[i] = d.quote(p)
	}
	return strings.Join(parts, "."), nil
}

// selectTable looks at the columns of the table and returns the query for the
// two that are wanted.
func (d *database) selectTable(ctx context.Context, tx *sql.Tx) (string, error) {
	table, err := d.dialect.quoteTable(d.table)
	if err != nil {
		return "", d.source.fail("write it as NAME or SCHEMA.NAME, or give a query", "%v", err)
	}
	rows, err := tx.QueryContext(ctx, "SELECT * FROM "+table+" WHERE 1 = 0")
	if err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		return "", fmt.Errorf("query table %s of source %s: %w", d.table, redact(d.source.Location), err)
	}
	defer rows.Close() //nolint:errcheck // has no rows
	names, err := rows.Columns()
	if err != nil {
		return "", fmt.Errorf("query table %s of source %s: %w", d.table, redact(d.source.Location), err)
	}
	if _, err := newBuilder(d.source, false).columns(names); err != nil {
		return "", err
	}
	return "SELECT " + d.dialect.quote(d.source.text()) + ", " + d.dialect.quote(d.source.label()) + " FROM " + table, nil
}

// secretParameters are parameters of a URL that some driver takes a password
// from.
var secretParameters = []string{"password", "pwd", "passwd", "sslpassword", "accesstoken", "secret", "token"}

// checkPassword refuses a password in a URL: parameters are versioned, and
// shown in more places than anyone thinks of.
func checkPassword(s *Source) error {
	if s.scheme() == "" {
		return nil
	}
	help := "put it into the environment: PGPASSWORD for Postgres, SQLCMDUSER and SQLCMDPASSWORD for SQL Server, " +
		"or a variable that the parameter password_env names"
	switch s.scheme() {
	case "http", "https":
		help = "put it into the environment: " + AuthorizationVariable + " is sent as the Authorization header"
	case "s3":
		help = "put it into the environment: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
	}
	u, err := url.Parse(s.Location)
	if err != nil {
		// The URL itself is not shown: who knows what is in it.
		return &SourceError{Location: s.scheme() + "://…", Msg: "is no URL", Help: "write special characters as %XX"}
	}
	if _, ok := u.User.Password(); ok {
		return s.fail(help, "has a password in it")
	}
	if s.scheme() == "http" || s.scheme() == "https" {
		return nil // their parameters are anyone's
	}
	for name := range u.Query() {
		for _, secret := range secretParameters {
			if strings.EqualFold(strings.ReplaceAll(name, " ", ""), secret) {
				return s.fail(help, "has a password in it")
			}
		}
	}
	return nil
}

// redact removes what may be secret from a location, for messages.
func redact(location string) string {
	if !IsURL(location) {
		return location
	}
	u, err := url.Parse(location)
	if err != nil {
		scheme, _, _ := strings.Cut(location, "://")
		return scheme + "://…"
	}
	if u.User != nil {
		if _, ok := u.User.Password(); ok {
			u.User = url.User(u.User.Username())
		}
	}
	if u.RawQuery != "" {
		u.RawQuery = "…"
	}
	u.Fragment = ""
	return strings.Replace(u.String(), "%E2%80%A6", "…", 1)
}
