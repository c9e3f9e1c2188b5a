/** What the ways to a picture have in common: where it goes. */

/** Takes a picture; null is the scene that comes with the page. */
export type TakePicture = (source: Blob | ImageBitmap | null, name: string) => void;
