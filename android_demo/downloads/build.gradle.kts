plugins {
    alias(libs.plugins.android.library)
}

android {
    namespace = "org.mobilesr.downloads"
    compileSdk = libs.versions.target.sdk.get().toInt()

    defaultConfig {
        minSdk = libs.versions.min.sdk.get().toInt()
    }

    // src/main is plain Kotlin, tested on any JVM; src/worker is what needs Android.
    sourceSets {
        getByName("main") { kotlin.directories += "src/worker/kotlin" }
    }

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_17
        targetCompatibility = JavaVersion.VERSION_17
    }
}

kotlin {
    explicitApi()
}

dependencies {
    api(project(":core"))
    implementation(libs.work)
    testImplementation(libs.junit)
}
