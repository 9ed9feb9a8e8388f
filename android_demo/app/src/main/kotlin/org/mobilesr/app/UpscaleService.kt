// Keeps the process alive while photos are worked on, and says so in a notification.
package org.mobilesr.app

import android.app.Notification
import android.app.NotificationChannel
import android.app.NotificationManager
import android.app.PendingIntent
import android.app.Service
import android.content.Intent
import android.content.pm.ServiceInfo
import android.os.Build
import android.os.IBinder

/** Does no work itself: it follows [UpscaleController] and ends when the work ends. */
class UpscaleService : Service() {
    private val watcher: (ScreenState) -> Unit = { show(it) }
    private var watching = false

    override fun onBind(intent: Intent?): IBinder? = null

    override fun onStartCommand(intent: Intent?, flags: Int, startId: Int): Int {
        if (intent?.action == CANCEL) services.upscaling.cancel()
        getSystemService(NotificationManager::class.java)
            .createNotificationChannel(NotificationChannel(CHANNEL, getString(R.string.channel_work), NotificationManager.IMPORTANCE_LOW))
        start(notification(services.upscaling.state.value))
        if (!watching) services.upscaling.state.watch(watcher)
        watching = true
        return START_NOT_STICKY
    }

    override fun onDestroy() {
        services.upscaling.state.unwatch(watcher)
        super.onDestroy()
    }

    /** Android 15 allows this kind of work six hours a day in the background. */
    override fun onTimeout(startId: Int, fgsType: Int) {
        services.upscaling.endForTime()
        stopSelf()
    }

    private fun show(state: ScreenState) {
        if (state is ScreenState.Working) {
            getSystemService(NotificationManager::class.java).notify(ID, notification(state))
        } else {
            stopForeground(STOP_FOREGROUND_REMOVE)
            stopSelf()
        }
    }

    private fun start(notification: Notification) {
        when {
            Build.VERSION.SDK_INT >= Build.VERSION_CODES.VANILLA_ICE_CREAM ->
                startForeground(ID, notification, ServiceInfo.FOREGROUND_SERVICE_TYPE_MEDIA_PROCESSING)
            Build.VERSION.SDK_INT >= Build.VERSION_CODES.Q ->
                startForeground(ID, notification, ServiceInfo.FOREGROUND_SERVICE_TYPE_DATA_SYNC)
            else -> startForeground(ID, notification)
        }
    }

    private fun notification(state: ScreenState): Notification {
        val open = PendingIntent.getActivity(this, 0, Intent(this, MainActivity::class.java), PendingIntent.FLAG_IMMUTABLE)
        val stop = PendingIntent.getService(this, 0, Intent(this, UpscaleService::class.java).setAction(CANCEL), PendingIntent.FLAG_IMMUTABLE)
        val progress = (state as? ScreenState.Working)?.progress
        return Notification.Builder(this, CHANNEL)
            .setSmallIcon(R.drawable.ic_notification)
            .setContentTitle(getString(R.string.notification_title))
            .setContentText((state as? ScreenState.Working)?.let { Texts(this).progress(it) })
            .setProgress(progress?.total ?: 0, progress?.done ?: 0, progress == null)
            .setOngoing(true)
            .setOnlyAlertOnce(true)
            .setContentIntent(open)
            .addAction(Notification.Action.Builder(null, getString(R.string.cancel), stop).build())
            .build()
    }

    private companion object {
        const val ID = 1
        const val CHANNEL = "work"
        const val CANCEL = "org.mobilesr.app.CANCEL"
    }
}
