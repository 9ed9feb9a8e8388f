// A result's file: the right writer for its format, and what the photo brings along.
package org.mobilesr.core

import java.io.File
import java.io.IOException
import java.io.OutputStream
import java.io.RandomAccessFile

/**
 * What goes over from the photo into the result's file.
 *
 * @property color of the pixels that are written
 * @property exif block for the result, see [Exif.forResult]
 * @property gainMap second picture of an Ultra HDR JPEG, complete and upright, see [UltraHdr.second]
 */
public class Extras(public val color: ColorSpaceTag = ColorSpaceTag.SRGB, public val exif: ByteArray? = null, public val gainMap: ByteArray? = null)

/**
 * A file to be written.
 *
 * @property quality 1 to 100, for the formats that have one
 */
public class PictureSpec(
    public val width: Int,
    public val height: Int,
    public val alpha: Boolean,
    public val format: PictureFormat,
    public val quality: Int,
    public val extras: Extras = Extras(),
)

/** Makes writers for formats that the core cannot write. */
public fun interface OtherWriters {
    /** A writer of [spec], null if it cannot be written. @throws NotEnoughMemoryException if it would not fit */
    public fun open(spec: PictureSpec, out: OutputStream): PictureWriter?
}

/** Writes pictures of any format. */
public class PictureFile(private val others: OtherWriters = OtherWriters { _, _ -> null }) {
    /** Lets [fill] send the rows of [spec] into [target]; if anything fails nothing is left of it. */
    public fun write(target: File, spec: PictureSpec, fill: (RowSink) -> Unit): File = FileResult.write(target, { complete(it, spec) }) { out ->
        open(spec, out).use { writer ->
            fill(writer)
            writer.finish()
        }
    }

    private fun open(spec: PictureSpec, out: OutputStream): PictureWriter = when (spec.format) {
        PictureFormat.PNG -> PngWriter(out, spec.width, spec.height, spec.alpha, spec.extras.color, spec.extras.exif)
        PictureFormat.JPEG -> JpegWriter(out, spec.width, spec.height, spec.quality, segments(spec.extras))
        else -> others.open(spec, out) ?: throw IOException("${spec.format} cannot be written here")
    }

    private fun segments(extras: Extras): List<ByteArray> = listOfNotNull(
        extras.exif?.let { JpegSegment.exif(it) },
        if (extras.color == ColorSpaceTag.DISPLAY_P3) JpegSegment.icc(Icc.displayP3) else null,
    ) + extras.gainMap?.let { UltraHdr.segments(it.size) }.orEmpty()

    /** The gain map follows the picture whose length is known only now. */
    private fun complete(file: File, spec: PictureSpec) {
        val map = spec.extras.gainMap ?: return
        if (spec.format != PictureFormat.JPEG) return
        RandomAccessFile(file, "rw").use { open ->
            val first = open.length()
            open.seek(first)
            open.write(map)
            MultiPicture.patch(open, first.toInt(), map.size)
        }
    }
}
