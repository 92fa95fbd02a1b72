package s3

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/flowrepro/flow/remote"
)

// List implements remote.Store.
func (s *Store) List(ctx context.Context, prefix string) iter.Seq2[remote.Info, error] {
	return func(yield func(remote.Info, error) bool) {
		fail := func(err error) { yield(remote.Info{}, s.wrap(ctx, "list", prefix, err)) }
		if _, err := s.api(ctx); err != nil {
			fail(err)
			return
		}
		own := *s.key("")
		token := ""
		for {
			page, err := s.objects.list(ctx, *s.key(prefix), token)
			if err != nil {
				fail(err)
				return
			}
			for i := range page.Contents {
				o := &page.Contents[i]
				name, ok := strings.CutPrefix(o.Key, own)
				if !ok || !strings.HasPrefix(name, prefix) || remote.CheckName("list", name) != nil {
					continue // a placeholder of a directory, or nothing of ours
				}
				if !yield(remote.Info{Name: name, Size: o.Size, Modified: o.LastModified, Tag: trimTag(o.ETag)}, nil) {
					return
				}
			}
			next := page.NextContinuationToken
			if !page.IsTruncated || next == "" {
				return
			}
			if next == token {
				fail(&remote.Error{Op: "list", Name: prefix, Kind: remote.Corrupt, Err: errEndless})
				return
			}
			token = next
		}
	}
}

var errEndless = errors.New("the listing does not advance")

// listPage is an answer to ListObjectsV2.
type listPage struct {
	IsTruncated           bool
	NextContinuationToken string
	Contents              []listed
}

type listed struct {
	Key          string
	ETag         string
	Size         int64
	LastModified time.Time
}

// listLimit bounds the size of a page: a thousand names of a kilobyte each, in
// the longest way to write them.
const listLimit = 32 << 20

// pages holds what answers are read into.
var pages = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// list asks for a page of the names that begin with prefix.
func (x *objects) list(ctx context.Context, prefix, token string) (*listPage, error) {
	query := url.Values{"list-type": {"2"}, "prefix": {prefix}}
	if token != "" {
		query.Set("continuation-token", token)
	}
	r := x.request(ctx, http.MethodGet, "")
	// The signature wants spaces as in paths.
	r.URL.RawQuery = strings.ReplaceAll(query.Encode(), "+", "%20")
	answer, err := x.do(r, emptyHash)
	if err != nil {
		return nil, err
	}
	defer discard(answer)
	buffer := pages.Get().(*bytes.Buffer)
	defer pages.Put(buffer)
	buffer.Reset()
	if _, err := buffer.ReadFrom(io.LimitReader(answer.Body, listLimit)); err != nil {
		return nil, &remote.Error{Op: "list", Name: prefix, Kind: remote.Unavailable, Err: err}
	}
	text := buffer.Bytes()
	page, ok := scanList(text)
	if !ok {
		page = new(listPage)
		if err := xml.Unmarshal(text, page); err != nil {
			return nil, &remote.Error{Op: "list", Name: prefix, Kind: remote.Unavailable, Err: fmt.Errorf("the answer is no listing: %w", err)}
		}
	}
	return page, nil
}

// scanList reads a page in the form in which servers write it: elements with
// text or elements in them. It is many times faster than encoding/xml, which
// reads what is of another form; ok is false then.
func scanList(text []byte) (page *listPage, ok bool) {
	page = new(listPage)
	expected := bytes.Count(text, []byte("<Contents>"))
	var open [8][]byte // the elements around
	depth := 0
	o := listed{}
	var content []byte // since the last tag
	leaf := false      // it was an opening one
	for {
		begin := bytes.IndexByte(text, '<')
		if begin < 0 {
			return page, depth == 0 && len(bytes.TrimSpace(text)) == 0
		}
		content = text[:begin]
		end := bytes.IndexByte(text, '>')
		if end < begin+2 {
			return nil, false
		}
		tag := text[begin+1 : end]
		text = text[end+1:]
		switch {
		case tag[0] == '!', tag[0] == '?' && depth > 0:
			return nil, false
		case tag[0] == '?':
			continue
		case tag[len(tag)-1] == '/': // an element with nothing in it
			leaf = false
			continue
		case tag[0] != '/':
			name, rest, _ := bytes.Cut(tag, []byte(" "))
			if depth == len(open) || slices.ContainsFunc(name, unusual) || bytes.Count(rest, []byte(`"`))%2+bytes.Count(rest, []byte(`'`))%2 > 0 {
				return nil, false
			}
			leaf = true
			open[depth] = name
			depth++
			if depth == 2 && string(name) == "Contents" {
				o = listed{}
			}
			continue
		}
		if depth == 0 || !bytes.Equal(open[depth-1], tag[1:]) {
			return nil, false
		}
		depth--
		if depth > 0 && string(open[0]) != "ListBucketResult" {
			return nil, false
		}
		var err error
		wasLeaf := leaf
		leaf = false
		switch {
		case depth == 1 && string(tag) == "/Contents":
			if page.Contents == nil {
				page.Contents = make([]listed, 0, expected)
			}
			page.Contents = append(page.Contents, o)
		case depth == 1 && string(tag) == "/IsTruncated":
			page.IsTruncated, err = strconv.ParseBool(string(bytes.TrimSpace(content)))
		case depth == 1 && string(tag) == "/NextContinuationToken":
			page.NextContinuationToken, err = unescape(content)
		case depth == 2 && string(open[1]) == "Contents":
			switch string(tag) {
			case "/Key":
				o.Key, err = unescape(content)
			case "/ETag":
				o.ETag, err = unescape(content)
			case "/Size":
				o.Size, err = strconv.ParseInt(string(bytes.TrimSpace(content)), 10, 64)
			case "/LastModified":
				o.LastModified, err = time.Parse(time.RFC3339, string(content))
			}
		}
		if err != nil || !wasLeaf && depth > 0 && texts[string(tag[1:])] {
			return nil, false
		}
	}
}

// unusual characters in the name of an element are left to encoding/xml.
func unusual(c byte) bool { return c == ':' || c <= ' ' }

// texts are the elements that are read and hold text only.
var texts = map[string]bool{"Key": true, "ETag": true, "Size": true, "LastModified": true, "IsTruncated": true, "NextContinuationToken": true}

var errEntity = errors.New("an entity of another kind")

// entities are those that XML knows without being told, and the numbers that
// servers write for quotation marks, which tags of objects have.
var entities = map[string]byte{"lt": '<', "gt": '>', "amp": '&', "quot": '"', "apos": '\'', "#34": '"', "#39": '\''}

// unescape returns text in which at most the entities are escaped.
func unescape(text []byte) (string, error) {
	if bytes.IndexByte(text, '\r') >= 0 {
		return "", errEntity // XML makes a newline of it
	}
	if bytes.IndexByte(text, '&') < 0 {
		return string(text), nil
	}
	var b strings.Builder
	for {
		at := bytes.IndexByte(text, '&')
		if at < 0 {
			b.Write(text)
			return b.String(), nil
		}
		b.Write(text[:at])
		name, rest, ok := bytes.Cut(text[at+1:], []byte(";"))
		c, known := entities[string(name)]
		if !ok || !known {
			return "", errEntity
		}
		b.WriteByte(c)
		text = rest
	}
}
