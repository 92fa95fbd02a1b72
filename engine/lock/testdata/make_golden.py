#!/usr/bin/env python
"""Write the golden lock, .dvc and run cache files with real DVC.

    <python of an environment with dvc> make_golden.py

runs DVC in a temporary project and copies what it wrote beside this script.
"""

import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent.resolve()
DVC = [sys.executable, "-m", "dvc"]

PARAMS = """\
lr: 1e-5
one: 1.0
big: 1e300
yes_no: yes
octal: 010
digits: '0123'
date_like: '2024-01-02'
null_value:
empty_list: []
empty_map: {}
text: "it's: quoted # here"
multi: "a\\nb\\tc"
long: one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
nested: {b: [1, {c: null, a: x}], a: true}
train: {layers: [1, 2], epochs: 3}
size: 1
été: naïve 😀
"""

DVCYAML = """\
stages:
  plain:
    cmd: cp in.txt mid.txt
    deps: [in.txt]
    outs: [mid.txt]
  params:
    cmd: cp mid.txt out.txt
    deps: [mid.txt, data, "q'uote d", run.sh]
    params: [lr, one, big, yes_no, octal, digits, date_like, null_value, empty_list, empty_map, text, multi, long,
      nested, train.epochs, size, été, other.json: [a.b, c]]
    outs: [out.txt]
  list:
    cmd:
    - echo one > l1
    - "echo 'it''s' > l2"
    - echo one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen > l3
    deps: [in.txt]
    outs: [l1, l2, l3]
  script:
    cmd: |
      mkdir -p dir/sub
      echo 1 > dir/sub/a
      echo "2" > dir/b
    deps: [in.txt]
    outs: [dir]
  long:
    cmd: echo --learning-rate 0.01 --epochs 100 --batch-size 32 --data data/train.csv --out model.bin > long.txt
    deps: [in.txt]
    outs: [long.txt]
  shared:
    cmd: echo > shared.txt
    deps: [in.txt]
    params: [train, train.layers]
    outs: [shared.txt]
  matrix:
    matrix: {x: [a, b]}
    cmd: echo ${item.x} > m_${item.x}
    deps: [in.txt]
    metrics:
    - m_${item.x}: {cache: false}
  nothing:
    cmd: echo hello
"""


def main():
    with tempfile.TemporaryDirectory() as tmp:
        os.chdir(tmp)
        env = dict(os.environ, DVC_NO_ANALYTICS="1")

        def run(*args):
            subprocess.run(args, check=True, env=env, stdout=subprocess.DEVNULL)

        run("git", "init", "-q")
        run(*DVC, "init", "-q")
        p = pathlib.Path
        p("in.txt").write_text("hello\n")
        p("q'uote d").write_text("q")
        p("run.sh").write_text("#!/bin/sh\n")
        p("run.sh").chmod(0o755)
        p("data/x").mkdir(parents=True)
        p("data/a").write_text("1\n")
        p("data/x/b").write_text("22\n")
        p("params.yaml").write_text(PARAMS)
        p("other.json").write_text('{"a": {"b": [1, 2.5, "x"]}, "c": "01"}')
        p("dvc.yaml").write_text(DVCYAML)
        run(*DVC, "repro")
        shutil.copy("dvc.lock", HERE / "dvc.lock.golden")
        runs = HERE / "runs"
        shutil.rmtree(runs, ignore_errors=True)
        shutil.copytree(".dvc/cache/runs", runs)

        p("src").mkdir()
        p("src/remote.txt").write_text("imported\n")
        p("tracked").write_text("tracked\n")
        p("tracked").chmod(0o755)
        run(*DVC, "add", "-q", "tracked")
        run(*DVC, "add", "-q", "data/x")
        run(*DVC, "import-url", "-q", "src/remote.txt", "imported")
        p("src/dir").mkdir()
        p("src/dir/f").write_text("f")
        run(*DVC, "import-url", "-q", "src/dir", "imported_dir")
        for name in ("tracked.dvc", "data/x.dvc", "imported.dvc", "imported_dir.dvc"):
            shutil.copy(name, HERE / (p(name).name + ".golden"))


if __name__ == "__main__":
    main()
