package org.mobilesr.core

import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import java.io.File
import java.io.IOException
import java.util.concurrent.CancellationException
import javax.imageio.ImageIO

class UpscaleTaskTest {
    @get:Rule
    val folder = TemporaryFolder()

    private val model = modelOf(tile = 32, scale = 2, halo = 8)
    private val photo = noise(100, 70)

    @Test
    fun `writes a whole picture and says what ran`() {
        val done = task(NearestEngine(model.shape)).run(photo, target())
        val read = ImageIO.read(done.file)
        assertEquals(listOf(200, 140), listOf(read.width, read.height))
        assertArrayEquals(nearest(photo, 2), read.getRGB(0, 0, 200, 140, null, 0, 200))
        assertEquals(Accelerator.CPU, done.ran.accelerator)
        assertEquals(listOf("result.png"), folder.root.list()!!.toList())
    }

    @Test
    fun `transparency is in the file`() {
        val done = task(NearestEngine(model.shape)).run(noise(40, 40, alpha = true), target())
        assertTrue(ImageIO.read(done.file).colorModel.hasAlpha())
    }

    @Test
    fun `an engine that fails mid-way leaves nothing`() {
        var tiles = 0
        val engine = ScriptedEngine(CPU) { if (++tiles == 4) throw EngineException("out of memory") else NearestEngine(model.shape).run(it) }
        assertThrows(EngineException::class.java) { task(engine).run(photo, target()) }
        assertEquals(0, folder.root.list()!!.size)
    }

    @Test
    fun `cancelling leaves nothing, and an older result stays as it was`() {
        target().writeText("older")
        val cancel = CancelToken()
        assertThrows(CancellationException::class.java) {
            task(NearestEngine(model.shape)).run(photo, target(), cancel = cancel) { if (it.done == 5) cancel.cancel() }
        }
        assertEquals(listOf("result.png"), folder.root.list()!!.toList())
        assertEquals("older", target().readText())
    }

    @Test
    fun `a full disk is an error and leaves nothing`() {
        assertThrows(IOException::class.java) {
            FileResult.write(target()) { out ->
                out.write(1)
                throw IOException("No space left on device")
            }
        }
        assertEquals(0, folder.root.list()!!.size)
    }

    @Test
    fun `what a killed process left is cleaned up`() {
        File(folder.root, "old.png.part").writeText("half")
        target().writeText("whole")
        FileResult.cleanUp(folder.root)
        assertEquals(listOf("result.png"), folder.root.list()!!.toList())
    }

    private fun target() = File(folder.root, "result.png")

    private fun task(engine: TileEngine) = UpscaleTask(model, Selection(engine, CPU, emptyList(), null))
}
