// Keeps process and processor awake while photos are worked on, and says so in a notification.
package org.mobilesr.app

import android.app.Notification
import android.app.Service
import android.content.Intent
import android.content.pm.ServiceInfo
import android.os.Build
import android.os.Handler
import android.os.IBinder
import android.os.Looper
import android.os.PowerManager

/** Does no work itself: it follows [UpscaleController] and ends when the work ends. */
class UpscaleService : Service() {
    private val handler = Handler(Looper.getMainLooper())
    private val watcher: (ScreenState) -> Unit = { show(it) }
    private var watching = false
    private var updatePending = false
    private val notifications by lazy { Notifications(this) }

    /** A foreground service keeps the process, not the processor: with the screen off the phone would sleep. */
    private val awake: PowerManager.WakeLock by lazy {
        getSystemService(PowerManager::class.java)!!.newWakeLock(PowerManager.PARTIAL_WAKE_LOCK, "mobilesr:upscaling").apply { setReferenceCounted(false) }
    }

    override fun onBind(intent: Intent?): IBinder? = null

    override fun onStartCommand(intent: Intent?, flags: Int, startId: Int): Int {
        if (intent?.action == CANCEL) services.upscaling.cancel()
        start(notifications.working(services.upscaling.state.value))
        awake.acquire(AWAKE_MS)
        if (!watching) services.upscaling.state.watch(watcher)
        watching = true
        return START_NOT_STICKY
    }

    override fun onDestroy() {
        services.upscaling.state.unwatch(watcher)
        handler.removeCallbacksAndMessages(null)
        if (awake.isHeld) awake.release()
        super.onDestroy()
    }

    /** Android 15 allows this kind of work six hours a day in the background. */
    override fun onTimeout(startId: Int, fgsType: Int) {
        services.upscaling.endForTime()
        stopSelf()
    }

    private fun show(state: ScreenState) {
        if (state is ScreenState.Working) {
            if (!updatePending) handler.postDelayed(update, UPDATE_MS)
            updatePending = true
            return
        }
        handler.removeCallbacks(update)
        updatePending = false
        stopForeground(STOP_FOREGROUND_REMOVE)
        if (!(application as MobileSrApp).isVisible) notifications.ended(state)
        stopSelf()
    }

    /** Tiles may come fifty times a second; the system drops what is above a few notifications. */
    private val update = Runnable {
        updatePending = false
        awake.acquire(AWAKE_MS) // work that makes progress may stay awake; work that hangs may not
        notifications.update(services.upscaling.state.value)
    }

    private fun start(notification: Notification) {
        when {
            Build.VERSION.SDK_INT >= Build.VERSION_CODES.VANILLA_ICE_CREAM ->
                startForeground(Notifications.WORK, notification, ServiceInfo.FOREGROUND_SERVICE_TYPE_MEDIA_PROCESSING)
            Build.VERSION.SDK_INT >= Build.VERSION_CODES.Q ->
                startForeground(Notifications.WORK, notification, ServiceInfo.FOREGROUND_SERVICE_TYPE_DATA_SYNC)
            else -> startForeground(Notifications.WORK, notification)
        }
    }

    companion object {
        /** Action of the notification's button. */
        const val CANCEL = "org.mobilesr.app.CANCEL"
        private const val UPDATE_MS = 500L

        /** Longer than any tile, or any GPU's start, takes. */
        private const val AWAKE_MS = 10L * 60 * 1000
    }
}
