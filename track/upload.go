package track

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
)

// UploadDir stores the files of a directory below a path of an artifact root,
// and returns their digests.
func UploadDir(ctx context.Context, a Artifacts, root, at, dir string) ([]FileDigest, error) {
	list, err := DirFiles(dir)
	if err != nil {
		return nil, fmt.Errorf("upload '%s': %w", dir, err)
	}
	for _, f := range list {
		if err := UploadFile(ctx, a, root, path.Join(at, f.Path), filepath.Join(dir, filepath.FromSlash(f.Path))); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// UploadFile stores a file at a path of an artifact root.
func UploadFile(ctx context.Context, a Artifacts, root, at, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("upload: %w", err)
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return fmt.Errorf("upload: %w", err)
	}
	return a.PutArtifact(ctx, root, at, f, fi.Size())
}

// ModelArtifact says where the files of a logged model are.
type ModelArtifact struct {
	// URI is runs:/<run>/<name> or models:/m-<id>.
	URI string
	// Root is the artifact root of the files.
	Root    string
	ModelID string
	// Digest is that of the directory, see DirDigest.
	Digest string
}

// LogModel stores a model's directory under a name of the run: as a model of its
// own where the store keeps such, else as artifacts of the run.
func LogModel(ctx context.Context, s Store, r Run, name, dir string) (ModelArtifact, error) {
	if logger, ok := s.(ModelLogger); ok {
		m, err := startModel(ctx, logger, r, name)
		switch {
		case err == nil:
			files, err := UploadDir(ctx, s, m.Root, "", dir)
			if ferr := logger.FinishModel(ctx, m, err == nil); err == nil {
				err = ferr
			}
			return ModelArtifact{URI: "models:/" + m.ID, Root: m.Root, ModelID: m.ID, Digest: digestOf(files)}, err
		case !isUnsupported(err):
			return ModelArtifact{}, err
		}
	}
	files, err := UploadDir(ctx, s, r.ArtifactURI, name, dir)
	if err != nil {
		return ModelArtifact{}, err
	}
	return ModelArtifact{
		URI: "runs:/" + r.ID + "/" + name, Root: JoinRoot(r.ArtifactURI, name), Digest: digestOf(files),
	}, nil
}

// startModel continues a model that an earlier attempt began.
func startModel(ctx context.Context, logger ModelLogger, r Run, name string) (LoggedModel, error) {
	list, err := logger.RunModels(ctx, r)
	if err != nil {
		return LoggedModel{}, err
	}
	for _, m := range list {
		if m.Name == name {
			return m, nil
		}
	}
	return logger.StartModel(ctx, r, name)
}

// JoinRoot appends a path to an artifact root.
func JoinRoot(root, name string) string {
	if name == "" {
		return root
	}
	for len(root) > 1 && root[len(root)-1] == '/' {
		root = root[:len(root)-1]
	}
	return root + "/" + name
}
