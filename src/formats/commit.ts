/** What tells a commit from a branch or a tag. */

/** Whether a revision is a commit's SHA-1, in hexadecimal digits. */
export function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision);
}
