/**
 * What TypeDoc is to know of entries: a module is named as users import it, not by its file; and a link to an export of
 * the main entry leads there from the other entries, too.
 */

import { readFileSync } from 'node:fs';
import { Converter, ReflectionKind } from 'typedoc';
import { entriesOf } from './entries.mjs';

/** @param {{ converter: any }} app TypeDoc's */
export function load({ converter }) {
  const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  const names = new Map(Array.from(entriesOf(manifest), ([name, file]) => [file, name]));
  converter.on(Converter.EVENT_CREATE_DECLARATION, (context, reflection) => {
    if (!reflection.kindOf(ReflectionKind.Module)) return;
    const file = context.getSymbolFromReflection(reflection)?.declarations?.[0]?.getSourceFile().fileName;
    reflection.name = names.get(file ?? '') ?? reflection.name;
  });
  converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    const main = project.getChildByName([manifest.name]);
    for (const { comment } of Object.values(project.reflections)) {
      if (!comment) continue;
      const parts = [comment.summary, ...comment.blockTags.map(({ content }) => content)].flat();
      for (const part of parts) {
        if (part.kind !== 'inline-tag' || part.tag !== '@link' || part.target !== undefined) continue;
        const target = main?.getChildByName([part.text.trim()]);
        if (target) part.target = target;
      }
    }
  });
}
