package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/flowrepro/flow/cache"
	"github.com/flowrepro/flow/engine/lock"
	"github.com/flowrepro/flow/engine/pipeline"
)

// ImportRequest describes data that was brought from elsewhere.
type ImportRequest struct {
	// Path is where the data is, absolute.
	Path string
	// Source is where it comes from. One without a checksum and without a
	// repository is recorded with the digest of the data: the two are the same
	// bytes.
	Source lock.DataEntry
	// Content is what is recorded of data that is not at Path; nil means what is
	// there, and the zero Entry that it is not known yet. When not even the version
	// of the source is known, the file has no checksum.
	Content *cache.Entry
}

// CheckImport refuses a path, absolute, where imported data cannot be: outside of
// the project, in or around other outputs, tracked by Git, ignored. It is for
// asking before anything is brought.
func (e *Engine) CheckImport(abs string) error {
	n, rel, err := e.importNode(abs)
	if err != nil {
		return err
	}
	for _, o := range n.Outs {
		if o.Path == rel {
			return e.checkOutput(n, o)
		}
	}
	return nil
}

// importNode finds the .dvc file of an output, or makes a new one.
func (e *Engine) importNode(abs string) (*node, string, error) {
	rel, ok := e.opt.Project.Rel(abs)
	rel = filepath.ToSlash(rel)
	if !ok || rel == "." {
		return nil, "", fmt.Errorf("'%s' is outside of the project", abs)
	}
	n, err := e.owner(rel, abs)
	if err != nil {
		return nil, "", err
	}
	for _, o := range n.Outs {
		if o.Path != rel {
			return nil, "", hintError{fmt.Errorf("cannot import to '%s': it is inside '%s', which is tracked as a whole", e.show(rel), e.show(o.Path)),
				"choose another place with --out, or stop tracking the directory"}
		}
	}
	if _, err := os.Lstat(e.abs(n.File)); err == nil && n.Data.IsNew() {
		return nil, "", hintError{fmt.Errorf("'%s' already exists and describes something else", e.show(n.File)),
			"choose another place with --out, or `flow remove` it"}
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, "", fmt.Errorf("import: %w", err)
	}
	return n, rel, nil
}

// Import records data and where it comes from in a .dvc file beside it, which is
// frozen unless it was not before, stores the data in the cache and keeps Git from
// seeing it. Objects are in the cache before the .dvc file names them. It returns
// the .dvc file.
func (e *Engine) Import(ctx context.Context, req ImportRequest) (string, error) {
	done, err := e.using(ctx)
	if err != nil {
		return "", err
	}
	defer done()
	if err := e.section.enter(ctx); err != nil {
		return "", err
	}
	defer e.section.leave()
	n, rel, err := e.importNode(req.Path)
	if err != nil {
		return "", err
	}
	i := 0
	for ; i < len(n.Outs) && n.Outs[i].Path != rel; i++ {
	}
	if i == len(n.Outs) || i >= len(n.Data.Outs) {
		return "", fmt.Errorf("'%s' does not describe '%s'", e.show(n.File), e.show(rel))
	}
	content, err := e.importedContent(ctx, n, n.Outs[i], req)
	if err != nil {
		return "", err
	}
	if err := e.ignoreOutputs(n); err != nil {
		return "", err
	}
	describeImport(n, i, req.Source, content, e.opt.Project.Format.Hash)
	return e.abs(n.File), e.writeData(n)
}

// importedContent is what is recorded of the output.
func (e *Engine) importedContent(ctx context.Context, n *node, o pipeline.Output, req ImportRequest) (cache.Entry, error) {
	if req.Content != nil {
		return *req.Content, nil
	}
	if err := e.checkAdd(n, o); err != nil {
		return cache.Entry{}, err
	}
	e.ws.forget(e.abs(o.Path))
	c := e.addOutput(ctx, AddRequest{}, o, nil)
	if c.missing() {
		return cache.Entry{}, fmt.Errorf("output '%s' does not exist: %w", e.show(o.Path), noSuchFile(e.abs(o.Path)))
	}
	if c.err != nil {
		return cache.Entry{}, fmt.Errorf("import '%s': %w", e.show(o.Path), c.err)
	}
	return c.entry, nil
}

// describeImport makes the .dvc file say what was imported; what the user wrote
// into it stays.
func describeImport(n *node, i int, source lock.DataEntry, content cache.Entry, h *cache.Hash) {
	d := n.Data
	if len(d.Deps) == 0 {
		d.Frozen = true
	}
	take := func(to *lock.DataEntry, c cache.Entry) {
		le := lock.Entry{Path: to.Path, Hash: h.Name, Size: -1, Files: -1}
		if !c.Digest.IsZero() {
			le = newEntry(to.Path, c)
		}
		to.Hash, to.Digest, to.Size, to.Files, to.Exec = le.Hash, le.Digest, le.Size, le.Files, le.Exec
	}
	take(&d.Outs[i], content)
	if source.Repo == nil {
		source.Hash = h.Name
		if _, tagged := source.Tag(); !tagged && source.Digest == "" {
			exec := source.Exec
			take(&source, content)
			source.Exec = exec
		}
	}
	if len(d.Deps) == 1 {
		source.Keep(&d.Deps[0])
	}
	d.Deps = []lock.DataEntry{source}
	d.MD5 = ""
	if d.Deps[0].IsKnown() {
		d.MD5 = d.Checksum()
	}
}
