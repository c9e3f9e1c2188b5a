/** Output files: all or none, whatever fails in between, and no temporary files left over. */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { makeFolders, type OutputFile, writeFiles } from '../../cli/src/output.js';
import { Folder } from './command.ts';

const folder = new Folder();
const text = (name: string) => new TextDecoder().decode(folder.read(name));
const output = (name: string, content: string): OutputFile => ({
  option: '--output',
  path: join(folder.path, name),
  bytes: new TextEncoder().encode(content),
});

/** A file that can't be renamed to its place: somebody makes a folder there while it is written. */
function blocked(name: string): OutputFile {
  const { option, path } = output(name, '');
  return {
    option,
    path,
    get bytes() {
      mkdirSync(path);
      return new Uint8Array(1);
    },
  };
}

beforeEach(() => folder.clear());

describe('files are written all or none', () => {
  it('and replace those that are there', async () => {
    folder.write('a', 'old');
    await writeFiles([output('a', 'new a'), output('b', 'new b'), output('c', 'new c')]);
    expect(folder.list()).toEqual(['a', 'b', 'c']);
    expect(['a', 'b', 'c'].map(text)).toEqual(['new a', 'new b', 'new c']);
  });

  it('and come back as they were where a later one fails', async () => {
    folder.write('a', 'old a');
    folder.write('b', 'old b');
    const files = [output('a', 'new a'), output('new', 'new'), output('b', 'new b'), blocked('c')];
    await expect(writeFiles(files)).rejects.toThrow(
      /expected a writable file, got "illegal operation on a directory"$/,
    );
    expect(folder.list()).toEqual(['a', 'b', 'c']);
    expect(['a', 'b'].map(text)).toEqual(['old a', 'old b']);
  });

  it('with the folder that was made for them', async () => {
    const made = { option: '--heatmaps', path: join(folder.path, 'new', 'maps') };
    await expect(writeFiles([output('new/maps/a', 'a'), blocked('b')], made)).rejects.toThrow('illegal operation');
    expect(folder.list()).toEqual(['b']);
  });

  // Node's own recursive mkdir never ends there.
  it.runIf(existsSync('/proc/self'))('and a folder that takes no folders is said to be none', async () => {
    const made = { option: '--heatmaps', path: '/proc/nope/maps' };
    const message = '--heatmaps /proc/nope/maps: expected a writable folder, got "no such file or directory"';
    await expect(writeFiles([], made)).rejects.toThrow(message);
    expect(() => makeFolders([{ option: '--heatmaps', path: '/proc/nope/maps/a' }])).toThrow(message);
  });

  it('after devices, whose failure leaves files as they were', async () => {
    folder.write('a', 'old');
    const full = { option: '--scores', path: '/dev/full', bytes: new Uint8Array(1) };
    await expect(writeFiles([output('a', 'new'), full])).rejects.toThrow(
      '--scores /dev/full: expected a writable file, got "no space left on device"',
    );
    expect(text('a')).toBe('old');
    expect(folder.list()).toEqual(['a']);
  });
});

describe('temporary files', () => {
  /** The temporary files that there are while `b` is written. */
  async function temporaryNames(): Promise<string[]> {
    let names: string[] = [];
    const watched = {
      ...output('b', ''),
      get bytes() {
        names = readdirSync(folder.path).filter((name) => name.endsWith('.tmp'));
        return new Uint8Array(1);
      },
    };
    await writeFiles([output('a', 'a'), watched]);
    return names;
  }

  it('of a process that was killed are removed by the next run that writes to the folder', async () => {
    const [name] = await temporaryNames();
    const { pid: ended } = spawnSync(process.execPath, ['-e', '']);
    const dead = name!.replace(`-${process.pid}-`, `-${ended}-`);
    expect(dead).not.toBe(name);
    folder.write(dead, 'half');
    // Numbers come again: a container's first process has the same one each time.
    folder.write(name!, 'half');
    await writeFiles([output('a', 'a')]);
    expect(folder.list()).toEqual(['a', 'b']);
  });

  it('of a process that runs stay', async () => {
    const [name] = await temporaryNames();
    const alive = name!.replace(`-${process.pid}-`, `-${process.ppid}-`);
    folder.write(alive, 'half');
    await writeFiles([output('a', 'a')]);
    expect(folder.list()).toEqual([alive, 'a', 'b']);
  });

  it('of another machine stay for a day', async () => {
    const [name] = await temporaryNames();
    const [young, old] = ['00000000', '11111111'].map((host) => name!.replace(/(?<=layertap-)[0-9a-f]{8}/, host));
    folder.write(young!, 'half');
    folder.write(old!, 'half');
    const twoDaysAgo = Date.now() / 1000 - 2 * 24 * 60 * 60;
    utimesSync(join(folder.path, old!), twoDaysAgo, twoDaysAgo);
    await writeFiles([output('a', 'a')]);
    expect(folder.list()).toEqual([young, 'a', 'b']);
  });

  it('of others stay', async () => {
    const names = ['.layertap-x.tmp', 'a.0123456789ab.tmp', 'my.tmp'];
    for (const name of names) folder.write(name, 'theirs');
    await writeFiles([output('a', 'a')]);
    expect(folder.list()).toEqual([...names, 'a'].sort());
  });
});
