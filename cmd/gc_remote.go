package cmd

import (
	"context"
	"fmt"

	"github.com/flowrepro/flow/cache"
	"github.com/flowrepro/flow/engine"
	"github.com/flowrepro/flow/project"
	"github.com/flowrepro/flow/remote"
)

// usedRemotely is what has to stay on a remote, members of directories included.
func (s *session) usedRemotely(ctx context.Context, o *openRemote, more []cache.Digest) (map[cache.Digest]bool, error) {
	used, err := s.engine.Used(ctx, more)
	if err != nil {
		return nil, err
	}
	if err := o.transfer(s, nil).Close(ctx, used); err != nil {
		return nil, &hinted{fmt.Errorf("remote '%s' is left alone: %w", o.name, err), "push the directory from where it is, or make it again, first"}
	}
	return used, nil
}

// collectRemote removes from a remote what is not used.
func (a *app) collectRemote(ctx context.Context, s *session, f *gcFlags, o *openRemote, used map[cache.Digest]bool, b *engine.Budget) (remote.Collected, error) {
	opt := remote.CollectOptions{Used: used, Hashes: []*cache.Hash{s.project.Format.Hash}, Needs: recordNeeds, Dry: f.dry}
	if s.project.Format == project.DVC {
		opt.Hashes = append(opt.Hashes, cache.MD5Text)
	}
	if b != nil {
		opt.MaxAge, opt.MaxSize = b.MaxAge, b.MaxSize
	}
	p := a.progress("Collecting", "")
	res, err := o.transfer(s, p.add).Collect(ctx, opt)
	p.close()
	if err != nil || f.json {
		return res, err
	}
	switch {
	case res.Objects == 0:
		a.print("No unused cache to remove from remote.\n")
	case f.dry:
		a.print("Would remove %d objects (%s) from remote and %s of results.\n", res.Objects, byteCount(res.Bytes), count(res.Records, "record"))
	default:
		a.print("Removed %d objects from remote.\n", res.Objects)
		a.print("Freed %s there; %s of results went with them.\n", byteCount(res.Bytes), count(res.Records, "record"))
	}
	return res, nil
}

// recordNeeds reads the record of a result on a remote.
func recordNeeds(name string, data []byte) ([]cache.Digest, error) {
	var list []cache.Digest
	if key, ok := remote.ParseRunKey(name); ok {
		_, outs, err := engine.RunEntry(key, data)
		if err != nil {
			return nil, err
		}
		for i := range outs {
			entry, err := entryOf(&outs[i])
			if err != nil {
				return nil, err
			}
			list = append(list, entry.Digest)
		}
		return list, nil
	}
	r, err := cache.ParseRecord(data)
	if err != nil {
		return nil, err
	}
	for _, o := range r.Outputs {
		list = append(list, o.Entry.Digest)
	}
	return list, nil
}
