package remote

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flowrepro/flow/cache"
)

// Record is a record of a result on its way: its name, its bytes, and what must
// be there before it.
type Record struct {
	Name  string
	Data  []byte
	Needs []cache.Digest
}

// Push sends what the remote does not have: files, then the manifests of
// directories all of whose members are there, then records all of whose objects
// are. It tries everything that can be tried; the result is complete also with
// an error.
func (t *Transfer) Push(ctx context.Context, items []Item, records []Record) (Result, error) {
	var sum Result
	before, _, err := t.marked(ctx)
	for err == nil {
		var res Result
		res, err = t.push(ctx, items, records)
		sum.Objects += res.Objects
		sum.Bytes += res.Bytes
		sum.Records += res.Records
		sum.Missing = res.Missing
		if err != nil {
			break
		}
		var after marker
		if after, err = t.waitCollected(ctx); err != nil || after == before {
			break
		}
		before = after
	}
	return sum, err
}

// collectPoll is how often a push looks whether a garbage collection is over.
const collectPoll = time.Second

// waitCollected returns the marker once no garbage collection is at work.
func (t *Transfer) waitCollected(ctx context.Context) (marker, error) {
	for {
		m, running, err := t.marked(ctx)
		if err != nil || !running {
			return m, err
		}
		if err := sleep(ctx, collectPoll); err != nil {
			return m, err
		}
	}
}

func (t *Transfer) push(ctx context.Context, items []Item, records []Record) (Result, error) {
	p := &push{t: t, w: newWanted(), sizes: map[cache.Digest]int64{}}
	for _, it := range items {
		if err := p.add(it); err != nil {
			return Result{}, err
		}
	}
	if err := p.survey(ctx); err != nil {
		return Result{}, err
	}
	err := p.sendFiles(ctx)
	var failed *TransferError
	if err != nil && !errors.As(err, &failed) {
		return p.result(), err
	}
	dirs := p.complete()
	if err := p.and(&failed, p.send(ctx, dirs)); err != nil {
		return p.result(), err
	}
	if err := p.and(&failed, p.sendRecords(ctx, records)); err != nil {
		return p.result(), err
	}
	if failed != nil {
		return p.result(), failed
	}
	return p.result(), nil
}

// push is one Push in progress.
type push struct {
	t *Transfer
	w *wanted

	mu    sync.Mutex
	there map[cache.Digest]int64 // what is on the remote now, and its size
	files []cache.Digest         // to send
	sizes map[cache.Digest]int64 // of files
	lost  []cache.Digest         // on neither side

	objects, bytes, records atomic.Int64
}

func (p *push) result() Result {
	return Result{
		Objects: int(p.objects.Load()), Bytes: p.bytes.Load(), Records: int(p.records.Load()), Missing: sortedMissing(p.lost),
	}
}

// and joins failures of single objects; any other error is returned.
func (p *push) and(failed **TransferError, err error) error {
	var more *TransferError
	if !errors.As(err, &more) {
		return err
	}
	if *failed == nil {
		*failed = more
		return nil
	}
	(*failed).Failed += more.Failed
	(*failed).Errs = append((*failed).Errs, more.Errs...)
	return nil
}

func (p *push) add(it Item) error {
	if !it.Entry.Digest.IsDir() {
		p.w.file(it.Entry.Digest, -1)
		return nil
	}
	m, err := p.t.Cache.Manifest(it.Entry.Digest)
	if errors.Is(err, cache.ErrNotFound) {
		// What its members are is not known here; the remote may have them.
		p.w.dirs = append(p.w.dirs, wantedDir{digest: it.Entry.Digest})
		return nil
	}
	if err != nil {
		return err
	}
	p.w.dir(it, m)
	return nil
}

// survey finds out what is to be sent.
func (p *push) survey(ctx context.Context) error {
	all := make([]cache.Digest, 0, len(p.w.files)+len(p.w.dirs))
	all = append(all, p.w.files...)
	for _, d := range p.w.dirs {
		if _, ok := p.w.limit[d.digest]; !ok {
			p.w.limit[d.digest] = -1
			all = append(all, d.digest)
		}
	}
	var err error
	if p.there, err = p.t.Present(ctx, all); err != nil {
		return err
	}
	doubtful := p.doubtful(all)
	type local struct {
		size int64
		here bool
	}
	locals := make([]local, len(doubtful))
	if err := p.t.each(ctx, "check", len(doubtful), func(_ context.Context, i int) error {
		locals[i].size, locals[i].here = p.t.Cache.SizeOf(doubtful[i])
		return nil
	}); err != nil {
		return err
	}
	var bytes int64
	for i, d := range doubtful {
		theirs, there := p.there[d]
		ours, here := locals[i].size, locals[i].here
		if there && (!here || ours == theirs) {
			continue
		}
		delete(p.there, d)
		switch {
		case !here:
			p.lost = append(p.lost, d)
		case !d.IsDir():
			p.files = append(p.files, d)
			p.sizes[d] = ours
			bytes += ours
		}
	}
	p.t.tell(Progress{MoreObjects: int64(len(p.files)), MoreBytes: bytes})
	return nil
}

// doubtful returns those of all that the cache must be looked at for. The
// members of a directory are not when the remote has them, of the size together
// that is recorded. The files are the first of all.
func (p *push) doubtful(all []cache.Digest) []cache.Digest {
	var list []cache.Digest
	next := 0
	for i := range p.w.dirs {
		if d := &p.w.dirs[i]; p.agrees(d) {
			list = append(list, all[next:d.begin]...)
			next = d.end
		}
	}
	return append(list, all[next:]...)
}

// agrees reports whether the remote has what is recorded of a directory.
func (p *push) agrees(d *wantedDir) bool {
	if !d.whole || d.size <= 0 {
		return false
	}
	var sum int64
	for _, m := range d.members {
		size, ok := p.there[m]
		if !ok {
			return false
		}
		sum += size
	}
	return sum == d.size
}

// complete returns the manifests that may be sent now: those of directories
// with all members on the remote that were asked for. Who asks for a part means
// to share it, and it cannot be found without the manifest; that is what DVC
// does too.
func (p *push) complete() []cache.Digest {
	var list []cache.Digest
	var bytes int64
	seen := map[cache.Digest]bool{}
	for _, d := range p.w.dirs {
		size, here := p.t.Cache.SizeOf(d.digest)
		if _, there := p.there[d.digest]; there || seen[d.digest] || !here || !p.all(d.members) {
			continue
		}
		seen[d.digest] = true
		list = append(list, d.digest)
		bytes += size
	}
	p.t.tell(Progress{MoreObjects: int64(len(list)), MoreBytes: bytes})
	return list
}

func (p *push) all(ds []cache.Digest) bool {
	for _, d := range ds {
		if _, ok := p.there[d]; !ok {
			return false
		}
	}
	return true
}

func (p *push) send(ctx context.Context, list []cache.Digest) error {
	return p.t.each(ctx, "upload", len(list), func(ctx context.Context, i int) error {
		n, err := p.t.sendObject(ctx, list[i])
		if err != nil {
			return err
		}
		p.mu.Lock()
		p.there[list[i]] = n
		p.mu.Unlock()
		p.objects.Add(1)
		p.bytes.Add(n)
		p.t.tell(Progress{Objects: 1})
		return nil
	})
}

func (p *push) sendRecords(ctx context.Context, records []Record) error {
	members := map[cache.Digest][]cache.Digest{}
	for _, d := range p.w.dirs {
		if d.whole {
			members[d.digest] = d.members
		}
	}
	var ready []Record
	for _, r := range records {
		all := p.all(r.Needs)
		for _, d := range r.Needs {
			if ms, known := members[d]; d.IsDir() {
				all = all && known && p.all(ms)
			}
		}
		if all {
			ready = append(ready, r)
		}
	}
	return p.t.each(ctx, "upload", len(ready), func(ctx context.Context, i int) error {
		_, err := p.t.Remote.Stat(ctx, ready[i].Name)
		if err == nil {
			return nil
		}
		if !errors.Is(err, ErrNotFound) {
			return err
		}
		if err := p.t.Remote.Put(ctx, ready[i].Name, Bytes(ready[i].Data)); err != nil {
			return err
		}
		p.records.Add(1)
		return nil
	})
}

// smallObject is up to what size an object is read into memory and verified
// there before it is sent, or before it is stored.
const smallObject = 1 << 20

// sendObject sends one object of the cache, which is verified on the way.
func (t *Transfer) sendObject(ctx context.Context, d cache.Digest) (int64, error) {
	f, err := t.Cache.Open(d)
	if err != nil {
		return 0, err
	}
	defer f.Close() //nolint:errcheck // only read
	var body Body
	if f.Size() <= smallObject {
		data, err := t.readVerified(f, d)
		if err != nil {
			return 0, err
		}
		body = Bytes(data)
	} else {
		body = newObjectBody(f, d)
	}
	if t.Progress != nil {
		body = &toldBody{Body: body, tell: t.tell}
	}
	err = t.Remote.Put(ctx, ObjectName(d), body)
	if errors.Is(err, errDamaged) {
		return 0, t.Cache.Quarantine(d)
	}
	return f.Size(), err
}

// readVerified reads all of an object of the cache, which goes to the quarantine
// when it is not what its name says.
func (t *Transfer) readVerified(f *cache.Object, d cache.Digest) ([]byte, error) {
	data := make([]byte, f.Size())
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, fmt.Errorf("read object %s: %w", d, err)
	}
	h := d.Hash().New()
	h.Write(data)
	if cache.NewDigest(d.Hash(), h.Sum(nil), d.IsDir()) != d {
		return nil, t.Cache.Quarantine(d)
	}
	return data, nil
}

// objectBody is an object of the cache as a Body that verifies itself. Its
// digest is computed while it is read, as long as that is from front to back.
type objectBody struct {
	f *cache.Object
	d cache.Digest

	mu sync.Mutex
	h  hash.Hash
	at int64 // bytes hashed
}

// errDamaged says that an object is not what its name says.
var errDamaged = errors.New("the object in the cache is damaged")

func newObjectBody(f *cache.Object, d cache.Digest) *objectBody {
	return &objectBody{f: f, d: d, h: d.Hash().New()}
}

func (b *objectBody) Size() int64 { return b.f.Size() }

func (b *objectBody) ReadAt(p []byte, off int64) (int, error) {
	n, err := b.f.ReadAt(p, off)
	b.mu.Lock()
	defer b.mu.Unlock()
	if off == b.at {
		b.h.Write(p[:n])
		b.at += int64(n)
	}
	return n, err
}

func (b *objectBody) Check() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if size := b.f.Size(); b.at < size {
		// It was read in another order, or not all of it.
		if _, err := io.Copy(b.h, io.NewSectionReader(b.f, b.at, size-b.at)); err != nil {
			return err
		}
		b.at = size
	}
	if cache.NewDigest(b.d.Hash(), b.h.Sum(nil), b.d.IsDir()) != b.d {
		return errDamaged
	}
	return nil
}

// toldBody tells how much of it has been read: the furthest byte, so that what
// is read again does not count twice.
type toldBody struct {
	Body
	tell func(Progress)
	far  atomic.Int64
}

func (b *toldBody) ReadAt(p []byte, off int64) (int, error) {
	n, err := b.Body.ReadAt(p, off)
	for end := off + int64(n); ; {
		far := b.far.Load()
		if end <= far {
			break
		}
		if b.far.CompareAndSwap(far, end) {
			b.tell(Progress{Bytes: end - far})
			break
		}
	}
	return n, err
}
