// Runs a TypeScript program as a CommonJS module with the fastest compiler that is installed. What is below is followed by
// a call of sebringRun with the program's text and the name that its file would have.
function sebringRun(source, file) {
  const fs = require('fs');
  const path = require('path');
  const Module = require('module');

  // Directories in which a compiler may be installed: what the program itself would find, and the global ones.
  const bin = path.dirname(fs.realpathSync(process.execPath));
  const globals = [
    path.join(bin, '..', 'lib', 'node_modules'),
    path.join(bin, 'node_modules'),
    '/usr/local/lib/node_modules',
    '/usr/lib/node_modules',
    '/usr/share/nodejs',
    ...(process.env.NODE_PATH || '').split(path.delimiter).filter(Boolean),
  ];
  const near = Module._nodeModulePaths(process.cwd());
  // A loader brings its compiler along, somewhere beside or below itself.
  const besides = (loader) => {
    try {
      return Module._nodeModulePaths(fs.realpathSync(loader));
    } catch {
      return [];
    }
  };
  const loaders = globals.flatMap((g) => [path.join(g, 'tsx'), path.join(g, 'ts-node')]).flatMap(besides);
  const find = (name) => {
    for (const directory of [...near, ...globals, ...loaders]) {
      const found = path.join(directory, name);
      if (fs.existsSync(path.join(found, 'package.json'))) return found;
    }
    return null;
  };

  const target = 'node' + process.versions.node;
  const withEsbuild = (directory) => {
    const esbuild = require(directory);
    return (text, name) =>
      esbuild.transformSync(text, {
        loader: name.endsWith('.tsx') ? 'tsx' : 'ts',
        format: 'cjs',
        platform: 'node',
        target,
        sourcefile: name,
        sourcemap: 'inline',
        logLevel: 'silent',
        tsconfigRaw: { compilerOptions: { experimentalDecorators: true } },
      }).code;
  };
  const withTypescript = (directory) => {
    const ts = require(directory);
    if (!ts.transpileModule) return null; // a version without the JavaScript interface
    return (text, name) =>
      ts.transpileModule(text, {
        fileName: name,
        compilerOptions: {
          module: ts.ModuleKind.CommonJS,
          target: ts.ScriptTarget.ES2022,
          esModuleInterop: true,
          experimentalDecorators: true,
          inlineSourceMap: true,
          inlineSources: true,
        },
      }).outputText;
  };
  const choose = () => {
    for (const [name, make] of [['esbuild', withEsbuild], ['typescript', withTypescript]]) {
      const directory = find(name);
      try {
        const compile = directory && make(directory);
        if (compile) return compile;
      } catch {
        // broken or for another machine: the next one
      }
    }
    return null;
  };

  const compile = choose();
  if (!compile) return sebringWithoutCompiler(source, file, Module);
  process.setSourceMapsEnabled(true);
  const extension = (module, name) => module._compile(compile(fs.readFileSync(name, 'utf8'), name), name);
  require.extensions['.ts'] = require.extensions['.cts'] = require.extensions['.tsx'] = extension;

  const main = new Module('.', null);
  main.filename = file;
  main.paths = [...Module._nodeModulePaths(path.dirname(file)), ...near, ...globals];
  process.mainModule = main;
  process.argv[1] = file;
  Module._cache[file] = main;
  let code;
  try {
    code = compile(source, file);
  } catch (error) {
    process.stderr.write(String((error && error.message) || error) + '\n');
    process.exit(1);
  }
  main._compile(code, file);
  main.loaded = true;
}

// Node can take the types out itself; what needs more than that (enum) wants the transforming mode.
function sebringWithoutCompiler(source, file, Module) {
  const strip = Module.stripTypeScriptTypes;
  const { spawnSync } = require('child_process');
  if (!strip) {
    const call = ['ts-node', '-T', '--ignore-diagnostics', '5107', '-O', '{"module":"CommonJS"}'];
    return sebringSpawn(spawnSync, 'npx', call, source, file);
  }
  return sebringSpawn(
    spawnSync,
    process.execPath,
    ['--no-warnings', '--experimental-strip-types', '--experimental-transform-types'],
    source,
    file,
  );
}

function sebringSpawn(spawnSync, program, options, source, file) {
  const fs = require('fs');
  fs.writeFileSync(file, source, { mode: 0o600 });
  try {
    const done = spawnSync(program, [...options, file, ...process.argv.slice(2)], {
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, npm_config_loglevel: 'error' },
    });
    if (done.error) {
      process.stderr.write('typescript: ' + done.error.message + '\n');
      process.exitCode = 127;
    } else {
      process.exitCode = done.status === null ? 137 : done.status;
    }
  } finally {
    fs.rmSync(file, { force: true });
  }
}
