/**
 * What somebody with a photo can understand and mend; everything else that is thrown is a defect of the page.
 */

/** A photo that cannot be upscaled, and why, in the reader's words. */
export class PhotoError extends Error {}

/** The network failed, not the photo: it is to be opened anew. */
export class EngineError extends PhotoError {}

/** The user has stopped it. */
export class Stopped extends Error {}
